"""Turns AWS's errors while a stack is changed into sentences."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from deployer.aws.client import DENIALS

from portcall.core.target import Target
from portcall.core.trouble import Exit, Trouble, code_of, trouble_of


@contextmanager
def asking(target: Target) -> Iterator[None]:
    """Raise AWS's errors in this block as Trouble."""
    try:
        yield
    except ClientError as error:
        if code_of(error) in DENIALS:
            said = error.response.get("Error", {}).get("Message") or str(error)
            raise Trouble(
                f"You are not allowed to: {said} An install creates roles, a network and functions: use a role "
                "that may do that, one with AdministratorAccess for example.",
                Exit.NOT_ALLOWED,
            ) from error
        raise trouble_of(error, stack=target.stack, region=target.region, profile=target.profile) from error
    except BotoCoreError as error:
        raise trouble_of(error, stack=target.stack, region=target.region, profile=target.profile) from error


def account_of(target: Target) -> str:
    """The account's id. Raises Trouble if the caller has no credentials."""
    with asking(target):
        return str(target.client("sts").get_caller_identity()["Account"])
