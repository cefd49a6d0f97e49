"""How ECS says that it has no capacity for a task: in `failures`, in an error, or as the reason of a stop.

Sources: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html and
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
"""

import re

# "You've reached ..." has a typographic or a plain apostrophe, so the match begins after it.
# An error about a capacity provider that is not associated with the cluster is not a shortage.
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
    """Whether AWS has no capacity for a task now, or the account's quota is used up: both may pass."""
    return bool(SHORTAGE.search(reason))
