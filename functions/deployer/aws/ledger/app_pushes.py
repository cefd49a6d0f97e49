"""Amazon DynamoDB: the unfinished pushes of an app, from one read of its item `order`."""

from collections.abc import Iterable
from dataclasses import dataclass

from deployer.aws import ledger_keys as keys
from deployer.aws.items import Item
from deployer.aws.ledger.calls import get
from deployer.aws.ledger.deployment_records import known
from deployer.domain.deployment import Deployment
from deployer.domain.push import Push


@dataclass(frozen=True)
class AppPushes:
    """`noted` counts the deployments of an app that were started, including failed ones.

    `open` are those without an outcome, or whose mail may not have been sent; `unmailed` are those that have an
    outcome and that a mail still has to name. `unclaimed` are the time and the name of each open push that has
    drawn a number and has no record (yet). All begin with the oldest.
    """

    noted: int
    open: list[Deployment]
    unmailed: list[Deployment]
    unclaimed: list[tuple[str, str]]


def app_pushes(*, app: str, but: Push | None = None) -> AppPushes:
    """The unfinished pushes of an app, without the push `but`."""
    order = get(keys.order(app))
    if but:
        order["open"] = order.get("open", set()) - {keys.name_of_push(but)}
    open_ones = named(app=app, names=order.get("open", ()))
    return AppPushes(
        noted=int(order.get("admitted", 0)),
        open=open_ones,
        unmailed=_unmailed(app, order),
        unclaimed=_without(open_ones, order),
    )


def open_deployments(*, app: str) -> list[Deployment]:
    """The deployments without an outcome, or whose mail may not have been sent; the oldest first."""
    return named(app=app, names=get(keys.order(app)).get("open", ()))


def unmailed(*, app: str) -> list[Deployment]:
    """The pushes that a mail has to name and that have an outcome; the oldest first."""
    return _unmailed(app, get(keys.order(app)))


def unclaimed(*, app: str) -> list[tuple[str, str]]:
    """Time and name of the open pushes that have drawn a number and have no record (yet); the oldest first."""
    order = get(keys.order(app))
    return _without(named(app=app, names=order.get("open", ())), order)


def named(*, app: str, names: Iterable[str]) -> list[Deployment]:
    """The deployments with these names in the list of open ones; the oldest first."""
    items = [get(keys.deployment(app, name)) for name in sorted(names)]
    # A push that was not claimed (yet) has no item.
    return [known(item) for item in items if item]


def _unmailed(app: str, order: Item) -> list[Deployment]:
    return [each for each in named(app=app, names=order.get("unmailed", ())) if each.outcome]


def _without(deployments: list[Deployment], order: Item) -> list[tuple[str, str]]:
    claimed = {keys.name_of(each.time, each.deployment) for each in deployments}
    names = (name.partition("#") for name in sorted(set(order.get("open", ())) - claimed))
    return [(time, deployment) for time, _, deployment in names]
