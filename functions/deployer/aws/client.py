"""Clients, made on first use, and AWS's errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from deployer.domain.errors import (
    AccessDeniedError,
    AwsRefusedError,
    AwsUnavailableError,
    DeployError,
    ThrottledError,
)

# All attempts together, with botocore's pauses of at most 1 and 2 seconds, end before a function does: what
# ends with its function is never told. The workflow tries again, with longer pauses.
CONFIG = Config(connect_timeout=2, read_timeout=6, retries={"mode": "standard", "total_max_attempts": 3})

THROTTLES = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
PASSING = {
    # A function's credentials are renewed between two calls of it.
    "ExpiredToken",
    "ExpiredTokenException",
    "InternalFailure",
    "RequestExpired",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServerException",
    "ServiceUnavailable",
    "TransactionConflictException",
}
DENIALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
# Why DynamoDB cancels a transaction: one that failed a condition as well would fail it again.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
CANCELLED_BY_LOAD = {"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionInProgress"}
CANCELLED_FOR_GOOD = {"ConditionalCheckFailed", "ValidationError", "ItemCollectionSizeLimitExceeded"}


_given: tuple[botocore.session.Session, str] | None = None


def use(session: botocore.session.Session, endpoint: str = "") -> None:
    """From now on make clients from this session: the command line chooses account, region and endpoint."""
    global _given
    _given = session, endpoint
    client.cache_clear()


@cache
def client(service: str) -> Any:
    """The client of an AWS API, e.g. `ecs`; its methods take and return the API's own shapes."""
    # boto3 makes the same clients, on top of an import and of searches that cost 40 ms of each cold start.
    session, endpoint = _given or (_session(), "")
    elsewhere: dict[str, Any] = {"endpoint_url": endpoint} if endpoint else {}
    return session.create_client(service, config=CONFIG, **elsewhere)


@cache
def _session() -> botocore.session.Session:
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
        if code in THROTTLES or _cancelled_by_load(error):
            raise ThrottledError(message) from error
        if code in DENIALS:
            raise AccessDeniedError(message) from error
        if status >= 500 or code in PASSING:
            raise AwsUnavailableError(message) from error
        raise AwsRefusedError(message) from error
    except (
        ConnectionError,
        HTTPClientError,
        ChecksumError,
        IncompleteReadError,
        ResponseParserError,
    ) as error:
        raise AwsUnavailableError(f"AWS did not answer: {type(error).__name__}") from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise AccessDeniedError(f"The function has no AWS credentials: {error}") from error
    except BotoCoreError as error:
        # ParamValidationError and its like: what was asked for never left the function.
        raise AwsRefusedError(f"The call was not sent, because AWS would not accept it: {error}") from error


def _cancelled_by_load(error: ClientError) -> bool:
    codes = {each.get("Code") for each in error.response.get("CancellationReasons") or []}
    return bool(codes & CANCELLED_BY_LOAD) and not codes & CANCELLED_FOR_GOOD


def answer_of(error: DeployError) -> dict[str, Any]:
    """What AWS answered where an error of ours comes from an answer of AWS, else nothing."""
    return getattr(error.__cause__, "response", None) or {}


def code_of(error: DeployError) -> str:
    """AWS's own code of an error of ours, `ResourceNotFoundException` say, '' if it has none."""
    return str(answer_of(error).get("Error", {}).get("Code", ""))
