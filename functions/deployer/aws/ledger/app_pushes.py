"""Amazon DynamoDB: the unfinished pushes of an app, from one read of its item `order`."""

from dataclasses import dataclass
from typing import Any

from deployer.aws import ledger_keys as keys
from deployer.aws.ledger.calls import get
from deployer.aws.ledger.deployment_records import known
from deployer.domain.deployment import Deployment


@dataclass(frozen=True)
class AppPushes:
    """`noted` counts the deployments of an app that were started, including failed ones.

    `open` are those without an outcome, or whose mail may not have been sent; `unmailed` are those that have an
    outcome and that a mail still has to name. Both begin with the oldest.
    """

    noted: int
    open: list[Deployment]
    unmailed: list[Deployment]


def app_pushes(*, app: str) -> AppPushes:
    """The unfinished pushes of an app."""
    order = get(keys.order(app))
    return AppPushes(
        noted=int(order.get("admitted", 0)),
        open=_deployments(app, order, "open"),
        unmailed=[each for each in _deployments(app, order, "unmailed") if each.outcome],
    )


def open_deployments(*, app: str) -> list[Deployment]:
    """The deployments without an outcome, or whose mail may not have been sent; the oldest first."""
    return _deployments(app, get(keys.order(app)), "open")


def unmailed(*, app: str) -> list[Deployment]:
    """The pushes that a mail has to name and that have an outcome; the oldest first."""
    return [each for each in _deployments(app, get(keys.order(app)), "unmailed") if each.outcome]


def unclaimed(*, app: str) -> list[tuple[str, str]]:
    """Time and name of the open pushes that have drawn a number and have no record (yet)."""
    names = sorted(get(keys.order(app)).get("open", set()))
    missing = [name for name in names if not get(keys.deployment(app, name))]
    return [(time, deployment) for time, _, deployment in (name.partition("#") for name in missing)]


def _deployments(app: str, order: dict[str, Any], names: str) -> list[Deployment]:
    items = [get(keys.deployment(app, name)) for name in sorted(order.get(names, set()))]
    # A push that was not claimed (yet) has no item.
    return [known(item) for item in items if item]
