"""When a mail may go out, and that it is written down once it has."""

from collections.abc import Callable

from deployer.aws import ledger
from deployer.domain.errors import MailLimitError, TransientError
from deployer.settings import settings

MAILS_A_SECOND = 4
ATTEMPTS = 5


def await_turn() -> None:
    """Raise MailLimitError if as many mails as SNS allows went out this second."""
    # https://docs.aws.amazon.com/general/latest/gr/sns.html: above 10 a second AWS drops the subscription.
    if ledger.mails_this_second(table=settings().ledger) > MAILS_A_SECOND:
        raise MailLimitError("As many mails as SNS allows went out this second.")


def stubbornly(note: Callable[[], object]) -> None:
    """Write down that something is done: until it is written down, it may be done once more."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            note()
            return
        except TransientError:
            if attempt == ATTEMPTS:
                raise
