"""Amazon DynamoDB: the pushes of an app for which something is still to be done, in one read of its order."""

from dataclasses import dataclass
from typing import Any

from deployer.aws import ledger_keys as keys
from deployer.aws.ledger.calls import get
from deployer.aws.ledger.deployment_records import known
from deployer.domain.deployment import Deployment


@dataclass(frozen=True)
class AppPushes:
    """`noted` counts the deployments of an app that were begun, including failed ones.

    `open` are those without an outcome, or whose mail may not have been sent; `unmailed` are those that a mail
    has to name and that have an outcome. Both begin with the oldest.
    """

    noted: int
    open: list[Deployment]
    unmailed: list[Deployment]


def app_pushes(*, app: str) -> AppPushes:
    """What is still to be done for an app's pushes."""
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


def _deployments(app: str, order: dict[str, Any], names: str) -> list[Deployment]:
    items = [get(keys.deployment(app, name)) for name in sorted(order.get(names, set()))]
    # One that was noted but not claimed (yet) has no item.
    return [known(item) for item in items if item]
