"""The bucket from which CloudFormation and Lambda read the template and the code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from portcall.desk.target import Target
from portcall.desk.trouble import Exit, Trouble, code_of

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
        """The one that was chosen, else that of Portcall's in the account and the region."""
        return cls(target, chosen or f"portcall-{account}-{target.region}", account, not chosen)

    @property
    def _s3(self) -> Any:
        return self.target.client("s3", PATIENT)

    @property
    def _mine(self) -> dict[str, str]:
        # Bucket names are the world's: nothing is written to, or read from, somebody else's of that name.
        return {"Bucket": self.name, "ExpectedBucketOwner": self.account}

    def is_there(self) -> bool:
        """Raises Trouble if it is somebody else's, or in another region."""
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
                        f"The bucket {self.name} is not this account's, or you may not use it. Choose one of "
                        f"yours in {self.target.region}: --bucket NAME",
                        Exit.NOT_ALLOWED,
                    ) from error
                case _:
                    raise
        if where != self.target.region:
            raise Trouble(
                f"The bucket {self.name} is in {where}, and Lambda takes code from its own region only. "
                f"Choose one in {self.target.region} with --bucket, or leave --bucket out."
            )
        return True

    def prepare(self) -> None:
        """Create it if it is ours and is not there. Raises Trouble, ClientError."""
        if self.is_there():
            return
        if not self.ours:
            raise Trouble(
                f"There is no bucket {self.name}. Leave --bucket out, and one is created.", Exit.NO_SUCH_THING
            )
        where = {"CreateBucketConfiguration": {"LocationConstraint": self.target.region}}
        self._s3.create_bucket(Bucket=self.name, **({} if self.target.region == "us-east-1" else where))
        self._s3.get_waiter("bucket_exists").wait(**self._mine)

    def upload(self, key: str, content: bytes) -> None:
        """Nothing is sent that is there already: a key is the hash of its content."""
        try:
            self._s3.head_object(**self._mine, Key=key)
        except ClientError as error:
            if code_of(error) not in ("404", "NoSuchKey", "NotFound"):
                raise
            self._s3.put_object(**self._mine, Key=key, Body=content)

    def url(self, key: str) -> str:
        """Where CloudFormation reads it."""
        return f"{self._s3.meta.endpoint_url}/{self.name}/{key}"

    def keys(self, prefix: str) -> list[str]:
        """What there is below a prefix."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(**self._mine, Prefix=f"{prefix}/")
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def remove(self, prefix: str, keep: Iterable[str] = ()) -> None:
        """Remove what is below a prefix, but what is to be kept."""
        for key in set(self.keys(prefix)) - set(keep):
            self._s3.delete_object(**self._mine, Key=key)

    def remove_if_empty(self) -> bool:
        """Whether it is gone; other stacks of the region may have theirs in it."""
        if not self.ours or self._s3.list_objects_v2(**self._mine, MaxKeys=1).get("KeyCount"):
            return False
        self._s3.delete_bucket(**self._mine)
        return True
