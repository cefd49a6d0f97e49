"""Amazon DynamoDB: how many apps there may be, and how many deployments at once."""

from collections.abc import Mapping

from deployer.aws import ledger_keys as keys
from deployer.aws.ledger.bounded_sets import give_back, take_place
from deployer.aws.ledger.calls import get
from deployer.domain.limits import LASTING, PREVIEWS, previews_of
from deployer.domain.push import Push


def take_slot(*, table: str, app: str, most: Mapping[str, int]) -> dict[str, set[str]]:
    """Take a slot for the app in each of these sets, or keep those that it has.

    `most` says how many apps each set may hold. Returns {} or, where one of them is full, who is in them.
    """
    return take_place(table, keys.SLOTS, app, most)


def free_slot(*, table: str, app: str) -> None:
    """Give the app's slots back."""
    give_back(table, keys.SLOTS, app, (PREVIEWS, LASTING, previews_of(app.partition(":")[0])))


def slots(*, table: str) -> set[str]:
    """The apps that have a slot."""
    item = get(table, keys.SLOTS)
    return {*item.get(PREVIEWS, ()), *item.get(LASTING, ())}


def note_under_way(*, table: str, push: Push, most: int) -> bool:
    """Count a deployment among those of its repository that run, until its outcome is recorded.

    False if there are `most` already.
    """
    return not take_place(
        table, keys.under_way(push.repository), keys.name_of_push(push), {"deployments": most}
    )
