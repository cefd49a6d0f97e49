"""Publishes mails, with a limit per repository and hour that is far above what a team needs."""

import time
from collections.abc import Callable

from deployer.aws import ledger, sns
from deployer.domain import holds, limits, mail
from deployer.domain.deployment import Current
from deployer.domain.errors import MailLimitError, PermanentError
from deployer.domain.mail import Mail
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.settings import settings

# https://docs.aws.amazon.com/general/latest/gr/sns.html: above 10 a second AWS drops the subscription.
MAX_MAILS_PER_SECOND = 4


def publish(push: Push, message: Mail | Callable[[Current | None], Mail | None], *, refusal: str = "") -> bool:
    """Publish a mail about a push; return whether it was sent.

    At the limit it is dropped; a notice replaces the first dropped mail.

    `message` is the mail, or a function that gets the app's current deployment, read as late as possible, and
    returns the mail, or None if it is no longer needed. `refusal` names the limit for which the push was
    refused, '' for other mails: only the first refusal of a repository in an hour is mailed. Raises
    MailLimitError if the mail has to wait.
    """
    config, now = settings(), time.time()
    hour = limits.hour(now)

    def is_among_first(kind: str, most: int) -> bool:
        return ledger.note_mail(push=push, hour=hour, kind=kind, most=most)

    if refusal and not is_among_first(refusal, 1):
        logger.warning("Mailed a refusal before", extra={"app": push.app, "reason": refusal})
        return False
    is_held_back = not is_among_first("mails", limits.MAX_MAILS_PER_HOUR)
    if is_held_back:
        logger.warning("Held a mail back", extra={"app": push.app})
        if not is_among_first("held back", 1):
            return False
        message = mail.held_back(push, limits.MAX_MAILS_PER_HOUR, limits.end_of_hour(now), config.ledger)
    check_rate()
    if callable(message):
        # Read last: later changes cannot be known.
        current = ledger.current(app=push.app)
        latest, notes = message(current), holds.note(current)
    else:
        latest, notes = message, _hold_notes(push)
    if latest:
        noted = mail.with_notes(latest, notes)
        sns.publish(topic=config.topic, mail=mail.with_dashboard(noted, config.dashboard_url))
    return latest is not None and not is_held_back


def _hold_notes(push: Push) -> list[str]:
    """What the mail says of a pin. If the ledger cannot be read, the mail goes out without it."""
    try:
        return holds.note(ledger.current(app=push.app))
    except PermanentError as refused:
        return [f"Portcall could not find out whether the app is pinned: {refused}"]


def check_rate() -> None:
    """Raise MailLimitError if SNS's limit of mails for this second is reached."""
    if ledger.mails_this_second() > MAX_MAILS_PER_SECOND:
        raise MailLimitError("Portcall's limit of emails per second is reached.")
