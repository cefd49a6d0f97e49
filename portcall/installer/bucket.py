"""The bucket from which CloudFormation and Lambda read the template and the code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from portcall.core.target import Target
from portcall.core.trouble import Exit, Trouble, code_of

# For the upload of a megabyte.
PATIENT = Config(read_timeout=60, retries={"mode": "standard", "max_attempts": 4})


@dataclass(frozen=True)
class Bucket:
    """A bucket in the stack's region. `ours`: an install creates it, and the last uninstall deletes it."""

    target: Target
    name: str
    account: str
    ours: bool

    @classmethod
    def of(cls, target: Target, account: str, chosen: str = "") -> "Bucket":
        """The chosen bucket, else Portcall's in the account and region."""
        return cls(target, chosen or f"portcall-{account}-{target.region}", account, not chosen)

    @property
    def _s3(self) -> Any:
        return self.target.client("s3", PATIENT)

    @property
    def _mine(self) -> dict[str, str]:
        # Bucket names are global: a bucket of that name in another account must not be used.
        return {"Bucket": self.name, "ExpectedBucketOwner": self.account}

    def is_there(self) -> bool:
        """Whether it exists. Raises Trouble if it is somebody else's, or in another region."""
        try:
            where = self._s3.head_bucket(**self._mine).get("BucketRegion") or self.target.region
        except ClientError as error:
            found = error.response.get("ResponseMetadata", {})
            where = found.get("HTTPHeaders", {}).get("x-amz-bucket-region", "")
            match found.get("HTTPStatusCode"):
                case 404:
                    return False
                case 301 | 400 if where:
                    pass
                case 403:
                    raise Trouble(
                        f"The bucket {self.name} is not this account's, or you have no permission to use it. "
                        f"Choose one of yours in {self.target.region}: --bucket NAME",
                        Exit.NOT_ALLOWED,
                    ) from error
                case _:
                    raise
        if where != self.target.region:
            raise Trouble(
                f"The bucket {self.name} is in {where}, and Lambda takes code only from its own region. "
                f"Choose one in {self.target.region} with --bucket, or omit --bucket."
            )
        return True

    def prepare(self) -> None:
        """Create it if it is ours and does not exist. Raises Trouble, ClientError."""
        if self.is_there():
            return
        if not self.ours:
            raise Trouble(
                f"There is no bucket {self.name}. Without --bucket, one is created.", Exit.NO_SUCH_THING
            )
        where = {"CreateBucketConfiguration": {"LocationConstraint": self.target.region}}
        self._s3.create_bucket(Bucket=self.name, **({} if self.target.region == "us-east-1" else where))
        self._s3.get_waiter("bucket_exists").wait(**self._mine)

    def upload(self, key: str, content: bytes) -> None:
        """Upload files that are not there yet: a key is the hash of its content."""
        try:
            self._s3.head_object(**self._mine, Key=key)
        except ClientError as error:
            if code_of(error) not in ("404", "NoSuchKey", "NotFound"):
                raise
            self._s3.put_object(**self._mine, Key=key, Body=content)

    def url(self, key: str) -> str:
        """The URL from which CloudFormation reads it."""
        return f"{self._s3.meta.endpoint_url}/{self.name}/{key}"

    def keys(self, prefix: str) -> list[str]:
        """The keys below a prefix."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(**self._mine, Prefix=f"{prefix}/")
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def remove(self, prefix: str, keep: Iterable[str] = ()) -> None:
        """Remove all keys below a prefix except those to keep."""
        for key in set(self.keys(prefix)) - set(keep):
            self._s3.delete_object(**self._mine, Key=key)

    def remove_if_empty(self) -> bool:
        """Remove it if it is empty; return whether it is gone. Other stacks of the region may use it."""
        if not self.ours or self._s3.list_objects_v2(**self._mine, MaxKeys=1).get("KeyCount"):
            return False
        self._s3.delete_bucket(**self._mine)
        return True
