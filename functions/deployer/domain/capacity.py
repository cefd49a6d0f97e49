"""What ECS says when it has no room for a task: in `failures`, in an error, in the reason of a stop.

Sources: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html and
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
"""

import re

# "You've reached ..." comes with a typographic apostrophe or a plain one, so the match begins after it.
# A capacity provider that is not associated with the cluster is no shortage.
SHORTAGE = re.compile(
    r"""
    capacity\ is\ unavailable
    | reached\ the\ limit\ on\ the\ number\ of\ (?: vCPUs | tasks )
    | \bRESOURCE:\w+
    | \bAGENT$
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_shortage(reason: str) -> bool:
    """Whether AWS has no room for a task now, or the account's quota is used up: later there may be."""
    return bool(SHORTAGE.search(reason))
