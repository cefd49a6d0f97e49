"""The account to verify: in AWS, or in the embedded cloud if AWS_ENDPOINT_URL points there."""

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from portcall.verify.errors import CannotStartError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass
class Account:
    """`endpoint` is '' for AWS itself."""

    id: str
    region: str
    endpoint: str
    _session: boto3.Session
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        """Whether this is the embedded cloud of a laptop."""
        return bool(self.endpoint)

    @property
    def kind(self) -> str:
        """Its name for people."""
        return f"the embedded cloud at {self.endpoint}" if self.embedded else "AWS"

    def client(self, service: str) -> Any:
        """A boto3 client; it tries throttled calls again."""
        if service not in self._clients:
            config = Config(retries={"mode": "standard", "max_attempts": 8})
            self._clients[service] = self._session.client(service, config=config)  # type: ignore[call-overload]
        return self._clients[service]

    def registry(self, repository_uri: str) -> str:
        """A repository's name for docker, in ECR's or the embedded registry."""
        if not self.embedded:
            return repository_uri
        return f"localhost:{urlsplit(self.endpoint).port}/{repository_uri.partition('/')[2]}"


def log_in() -> Account:
    """The account of the environment's credentials.

    Raises CannotStartError with what to do if there are none, or if they are refused.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    if endpoint and urlsplit(endpoint).hostname not in LOOPBACK:
        raise CannotStartError(
            f"AWS_ENDPOINT_URL is {endpoint}, neither AWS nor this machine. Unset it, then run this again."
        )
    try:
        # boto3 itself reads only AWS_DEFAULT_REGION.
        session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        if not session.region_name:
            raise CannotStartError(
                "No region is set. Say which one to install into, e.g.: export AWS_REGION=eu-west-1"
            )
        identity = session.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise CannotStartError(
            f"AWS does not know who you are: {error}\n"
            "Log in with `aws sso login` or `aws configure`, choose a profile with AWS_PROFILE if you have "
            "several, then run this again."
        ) from error
    return Account(str(identity["Account"]), session.region_name, endpoint, session)
