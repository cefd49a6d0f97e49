"""The AWS clients, created on first use, and the translation of AWS's errors to ours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Literal, TypedDict, overload

import botocore.loaders
import botocore.session
from botocore.client import BaseClient
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

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient

# All attempts together, with botocore's pauses of at most 1 and 2 seconds, end before a function's time-out, so
# that an error is reported. The workflow retries, with longer pauses.
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
    # A function's credentials are renewed between two invocations.
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
# Transient reasons why DynamoDB cancels a transaction. If a condition failed too, a retry would fail again.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
CANCELLED_BY_LOAD = {"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionInProgress"}
CANCELLED_FOR_GOOD = {"ConditionalCheckFailed", "ValidationError", "ItemCollectionSizeLimitExceeded"}
SERVICES = (
    "apigatewayv2",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "events",
    "lambda",
    "logs",
    "sns",
    "ssm",
    "stepfunctions",
    "sts",
)


class Loader(botocore.loaders.Loader):
    """botocore's reader of its models of AWS's APIs, which does not look through all 400 of them first."""

    def list_available_services(self, _type_name: str) -> list[str]:
        """The APIs that `client` knows."""
        return list(SERVICES)


_given: tuple[botocore.session.Session, str] | None = None


def use(session: botocore.session.Session, endpoint: str = "") -> None:
    """Create all further clients from this session: the command line chooses account, region and endpoint."""
    global _given
    _given = session, endpoint
    _client.cache_clear()


@overload
def client(service: Literal["apigatewayv2"]) -> "ApiGatewayV2Client": ...
@overload
def client(service: Literal["dynamodb"]) -> "DynamoDBClient": ...
@overload
def client(service: Literal["ec2"]) -> "EC2Client": ...
@overload
def client(service: Literal["ecr"]) -> "ECRClient": ...
@overload
def client(service: Literal["ecs"]) -> "ECSClient": ...
@overload
def client(service: Literal["events"]) -> "EventBridgeClient": ...
@overload
def client(service: Literal["lambda"]) -> "LambdaClient": ...
@overload
def client(service: Literal["logs"]) -> "CloudWatchLogsClient": ...
@overload
def client(service: Literal["sns"]) -> "SNSClient": ...
@overload
def client(service: Literal["ssm"]) -> "SSMClient": ...
@overload
def client(service: Literal["stepfunctions"]) -> "SFNClient": ...
@overload
def client(service: Literal["sts"]) -> "STSClient": ...
@overload
def client(service: str) -> BaseClient: ...
def client(service: str) -> object:
    """boto3's client of an AWS API, e.g. `ecs`, created once.

    Its calls and paginators raise our errors: AccessDeniedError, AwsRefusedError, AwsUnavailableError or
    ThrottledError. A new API needs an overload, and its name in SERVICES.
    """
    return _client(service)


@cache
def _client(service: str) -> BaseClient:
    with errors_as_ours():
        if _given:
            session, endpoint = _given
            return _raising_ours(session.create_client(service, config=CONFIG, endpoint_url=endpoint or None))
        make: Callable[..., BaseClient] = _session().client
        return _raising_ours(make(service, config=CONFIG))


@cache
def _session() -> "boto3.Session":
    # Imported here: the command line uses a session of botocore and starts without boto3.
    import boto3

    session = botocore.session.get_session()
    session.register_component("data_loader", Loader())
    return boto3.Session(botocore_session=session)


def _raising_ours(made: BaseClient) -> BaseClient:
    """The client, with our errors. It sends every call, and each page of a paginator, by `_make_api_call`."""

    def send(operation: str, request: dict[str, object]) -> object:
        with errors_as_ours():
            return BaseClient._make_api_call(made, operation, request)  # type: ignore[attr-defined]

    made._make_api_call = send  # type: ignore[attr-defined]
    return made


@contextmanager
def errors_as_ours() -> Iterator[None]:
    """Turn botocore's errors into DeployErrors, whose class says whether a retry may help."""
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
        # ParamValidationError and similar: the request was never sent.
        raise AwsRefusedError(f"The call was not sent, because AWS would not accept it: {error}") from error


def _cancelled_by_load(error: ClientError) -> bool:
    codes = {each.get("Code") for each in error.response.get("CancellationReasons") or []}
    return bool(codes & CANCELLED_BY_LOAD) and not codes & CANCELLED_FOR_GOOD


class Refusal(TypedDict, total=False):
    """AWS's response to a call that it refused; for a condition of DynamoDB with the `Item` as it is."""

    Error: "Reason"
    CancellationReasons: "list[Reason]"
    Item: "dict[str, AttributeValueTypeDef]"


class Reason(TypedDict, total=False):
    """Why a call, or one write of a transaction, was refused."""

    Code: str
    Message: str


def answer_of(error: DeployError) -> Refusal:
    """AWS's response behind one of our errors, {} if there is none."""
    refusal: Refusal | None = getattr(error.__cause__, "response", None)
    return refusal or {}


def code_of(error: DeployError) -> str:
    """AWS's error code behind one of our errors, e.g. `ResourceNotFoundException`, '' if there is none."""
    return answer_of(error).get("Error", {}).get("Code", "")
