"""Reads the embedded cloud's mails, as a mail program shows them."""

import email.policy
import mailbox
from dataclasses import dataclass
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path

ATTRIBUTE = "X-SNS-Attribute-"


@dataclass(frozen=True)
class Received:
    """One mail; `date` is ISO 8601, `attributes` are the SNS message attributes."""

    id: str
    date: str
    sender: str
    to: str
    subject: str
    text: str
    attributes: dict[str, str]


def read(folder: Path) -> list[Received]:
    """All mails, oldest first."""
    if not folder.exists():
        return []
    # A Maildir iterates over its messages, a dict over its keys.
    keys = mailbox.Maildir(folder, create=False).keys()
    return sorted((_received(folder, key) for key in keys), key=lambda each: (each.date, each.id))


@lru_cache(maxsize=10_000)
def _received(folder: Path, key: str) -> Received:
    """A mail, parsed once: mails do not change, and parsing is slow."""
    content = mailbox.Maildir(folder, create=False).get_bytes(key)
    message: Message = BytesParser(policy=email.policy.default).parsebytes(content)
    assert isinstance(message, EmailMessage)  # noqa: S101 - for mypy; the policy makes it so
    body = message.get_body(("plain",))
    return Received(
        id=key,
        date=parsedate_to_datetime(message["Date"]).isoformat(),
        sender=_whole(message["From"]),
        to=_whole(message["To"]),
        subject=_whole(message["Subject"]),
        text=body.get_content() if body else "",
        attributes={
            name[len(ATTRIBUTE) :].lower(): _whole(value)
            for name, value in message.items()
            if name.lower().startswith(ATTRIBUTE.lower())
        },
    )


def _whole(header: object) -> str:
    """A header's value without folding: a long value begins on the next line, after a space."""
    return str(header).strip()
