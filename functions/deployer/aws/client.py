"""Clients, made on first use, and AWS's errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from deployer.domain.errors import (
    AccessDeniedError,
    AwsRefusedError,
    AwsUnavailableError,
    DeployError,
    ThrottledError,
)

# Short: the workflow tries again, with jitter, and tells it in its history.
CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})

THROTTLES = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceededException",
    "BandwidthLimitExceeded",
    "Throttled",
}
PASSING = {"ServerException", "ServiceUnavailable", "TransactionConflictException"}
DENIALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}


@cache
def client(service: str) -> Any:
    """The client of an AWS API, e.g. `ecs`; its methods take and return the API's own shapes."""
    return _session().create_client(service, config=CONFIG)


@cache
def _session() -> botocore.session.Session:
    # boto3 makes the same clients, on top of an import and of searches that cost 40 ms of each cold start.
    return botocore.session.get_session()


@contextmanager
def errors_as_ours() -> Iterator[None]:
    """Raise a DeployError for what botocore raises: the workflow tells transient from permanent by class."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        message = f"{error.operation_name}: {error.response.get('Error', {}).get('Message') or code}"
        if code in THROTTLES:
            raise ThrottledError(message) from error
        if code in DENIALS:
            raise AccessDeniedError(message) from error
        if status >= 500 or code in PASSING:
            raise AwsUnavailableError(message) from error
        raise AwsRefusedError(message) from error
    except (ConnectionError, HTTPClientError) as error:
        raise AwsUnavailableError(f"AWS did not answer: {type(error).__name__}") from error


def answer_of(error: DeployError) -> dict[str, Any]:
    """What AWS answered where an error of ours comes from an answer of AWS, else nothing."""
    return getattr(error.__cause__, "response", None) or {}


def code_of(error: DeployError) -> str:
    """AWS's own code of an error of ours, `ResourceNotFoundException` say, '' if it has none."""
    return str(answer_of(error).get("Error", {}).get("Code", ""))
