"""Amazon DynamoDB: limits on the number of apps, and of deployments at once."""

from collections.abc import Mapping

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.items import wire
from deployer.aws.ledger.bounded_sets import add_member, move_member, remove_member, without
from deployer.aws.ledger.calls import get, try_transaction
from deployer.aws.ledger.current_deployment import unchanged
from deployer.aws.ledger.push_order import no_more_than
from deployer.domain.deployment import Current
from deployer.domain.limits import LASTING, PREVIEWS, previews_of
from deployer.domain.push import Push


def take_slot(*, app: str, most: Mapping[str, int]) -> dict[str, set[str]]:
    """Take a slot for the app in each of these sets, or keep the slots it has.

    `most` is the limit of each set. Returns {} or, if one of them is full, the apps in each.
    """
    return add_member(keys.SLOTS, app, most)


def free_slot(*, app: str, noted: int, seen: Current | None) -> bool:
    """Free the app's slots; False if a deployment of it has begun or gone live since `seen` was read.

    `noted` is the number of its deployments and `seen` the current one, read in this order.
    """
    sets = (PREVIEWS, LASTING, previews_of(app.partition(":")[0]))
    return try_transaction(
        {"Update": without(keys.SLOTS, app, sets)},
        {
            "ConditionCheck": {
                "TableName": table.name(),
                "Key": wire(keys.current(app)),
                **unchanged(seen),
            }
        },
        {
            "ConditionCheck": {
                "TableName": table.name(),
                "Key": wire(keys.order(app)),
                **no_more_than(noted),
            }
        },
    )


def move_slot(*, app: str, preview: bool) -> None:
    """Move the app's slot to the previews or to the other apps, even beyond the limit."""
    as_preview = (PREVIEWS, previews_of(app.partition(":")[0]))
    right, wrong = (as_preview, (LASTING,)) if preview else ((LASTING,), as_preview)
    move_member(keys.SLOTS, app, to=right, away_from=wrong)


def taken_slots() -> dict[str, set[str]]:
    """The sets of slots with their apps."""
    item = get(keys.SLOTS)
    return {name: set(apps) for name, apps in item.items() if name not in keys.SLOTS}


def note_under_way(*, push: Push, most: int) -> bool:
    """Count a deployment as running in its repository, until its outcome is recorded.

    False if there are `most` already.
    """
    return not add_member(keys.under_way(push.repository), keys.name_of_push(push), {"deployments": most})


def note_ended(*, push: Push) -> None:
    """Stop counting a deployment as running in its repository."""
    remove_member(keys.under_way(push.repository), keys.name_of_push(push), ("deployments",))
