"""Errors of commands, as a sentence and an exit code; the table of exit codes."""

import re
from enum import IntEnum
from typing import IO, Any

import click
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from deployer.aws.client import DENIALS, THROTTLES
from deployer.domain.errors import DeployError

from portcall.core.terminal import fail


class Exit(IntEnum):
    """The exit codes of every command; click's own is USAGE."""

    YES = 0
    NO = 1
    USAGE = 2
    SUPERSEDED = 3
    NOT_KNOWN = 4
    NO_SUCH_THING = 5
    NOT_ALLOWED = 6
    INTERRUPTED = 130


class Trouble(click.ClickException):
    """A sentence that says what to do, and the exit code."""

    def __init__(self, message: str, code: Exit = Exit.NO) -> None:
        super().__init__(message)
        self.exit_code = code

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002 - click's own signature
        """Print it to standard error, without markup."""
        fail(self.message)


EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
NOT_ACCEPTED = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}

DENIED = re.compile(r"User: (\S+) is not authorized to perform: ([\w-]+:\w+)")


def code_of(error: BaseException) -> str:
    """AWS's code of an error, ours or botocore's, '' if it has none."""
    cause = error.__cause__ if isinstance(error, DeployError) else error
    return str(cause.response.get("Error", {}).get("Code", "")) if isinstance(cause, ClientError) else ""


def denied_action(error: BaseException) -> str:
    """The action that AWS denied, e.g. `iam:GetRole`; '?' if it is not named, '' if nothing was denied."""
    if code_of(error) not in DENIALS:
        return ""
    found = DENIED.search(str(error))
    return found[2] if found else "?"


def is_passing(error: BaseException) -> bool:
    """Whether a retry may succeed."""
    cause = error.__cause__ if isinstance(error, DeployError) else error
    if isinstance(cause, ClientError):
        status = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        # One of our errors without a response of AWS: DynamoDB left keys out.
        return code_of(error) in THROTTLES or status >= 500
    return cause is None or isinstance(cause, ConnectionError | HTTPClientError)


def trouble_of(error: BaseException, *, stack: str, region: str, profile: str) -> Trouble:
    """The sentence for an error of AWS, botocore or the functions' modules."""
    cause = error.__cause__ if isinstance(error, DeployError) and error.__cause__ else error
    whose = f"profile {profile}" if profile else "the default profile"
    named = f" --profile {profile}" if profile else ""
    again = f"Log in again: aws sso login{named}, or renew the keys."
    match cause:
        case ProfileNotFound():
            return Trouble(
                f"There is no AWS profile {profile}; `aws configure list-profiles` lists the profiles.",
                Exit.NOT_ALLOWED,
            )
        case NoRegionError():
            return Trouble(
                "No region is chosen. Use --region, set AWS_REGION, or set one in the profile: aws configure",
                Exit.NOT_ALLOWED,
            )
        case InvalidRegionError():
            return Trouble(
                f"There is no region {region}. A region is, for example, eu-west-1.", Exit.NOT_ALLOWED
            )
        case NoCredentialsError() | PartialCredentialsError():
            return Trouble(
                f"There are no AWS credentials ({whose}). Log in with aws sso login or aws configure, or "
                "choose --profile NAME. For the cloud on this machine: portcall up",
                Exit.NOT_ALLOWED,
            )
        case SSOError() | TokenRetrievalError() | CredentialRetrievalError():
            return Trouble(f"The login of {whose} has expired, or cannot be used. {again}", Exit.NOT_ALLOWED)
        case ConnectionError() | HTTPClientError():
            return Trouble(
                f"AWS does not answer: {cause} Does this machine reach the internet, and is {region} the right "
                "region? Try again in a moment.",
                Exit.NOT_KNOWN,
            )
        case ClientError():
            return _answered(cause, stack=stack, region=region, whose=whose, again=again)
        case DeployError() if is_passing(error):
            return Trouble(f"AWS did not answer: {error} Try again in a moment.", Exit.NOT_KNOWN)
        case BotoCoreError():
            return Trouble(f"AWS cannot be called: {cause}")
    return Trouble(str(error))


def _answered(error: ClientError, *, stack: str, region: str, whose: str, again: str) -> Trouble:
    code, said = code_of(error), error.response.get("Error", {}).get("Message") or str(error)
    if code in EXPIRED:
        return Trouble(f"The credentials of {whose} have expired. {again}", Exit.NOT_ALLOWED)
    if code in NOT_ACCEPTED:
        return Trouble(
            f"AWS does not accept the credentials of {whose} in {region} ({code}). Are they correct, and is "
            "the region enabled in the account? Choose others with --profile and --region.",
            Exit.NOT_ALLOWED,
        )
    if code in DENIALS:
        found = DENIED.search(said)
        denied = (
            f"{found[1]} has no permission for {found[2]}." if found else f"You are not allowed to: {said}."
        )
        return Trouble(
            f"{denied} Ask for one of the stack's managed policies (its outputs name them): "
            "ViewerPolicyArn to read, OperatorPolicyArn to deploy, PusherPolicyArn to push and to wait for "
            "repo:tag, SecretsPolicyArn to set secrets.",
            Exit.NOT_ALLOWED,
        )
    if code == "ValidationError" and "does not exist" in said:
        return Trouble(
            f"There is no stack {stack} in {region} ({whose}). Choose another with --stack, --region or "
            "--profile, or install it: portcall install",
            Exit.NOT_ALLOWED,
        )
    if code == "ValidationException" and "index" in said:
        return Trouble(
            f"The stack {stack} is older than this command. Upgrade it: portcall upgrade, or from a clone: "
            "git pull && make tools && sam build && sam deploy"
        )
    if is_passing(error):
        return Trouble(f"AWS is too busy to answer: {said} Try again in a moment.", Exit.NOT_KNOWN)
    return Trouble(f"AWS refused {error.operation_name}: {said}")
