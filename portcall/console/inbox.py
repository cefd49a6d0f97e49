"""The mails of the embedded cloud."""

from dataclasses import dataclass, field

from localcloud.inbox import Received, read
from localcloud.settings import CloudSettings

MOST_MAILS = 50


@dataclass(frozen=True)
class InboxPage:
    """The last mails, newest first."""

    mails: list[Received] = field(default_factory=list)
    more: bool = False
    busy = False


def inbox_page() -> InboxPage:
    """Read the inbox."""
    mails = read(CloudSettings.load().inbox)
    return InboxPage(mails[::-1][:MOST_MAILS], len(mails) > MOST_MAILS)
