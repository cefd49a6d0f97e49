"""Removes security groups that no app needs any more. EC2 keeps one that a network interface still uses."""

from deployer.actions.sweep_facts import Account
from deployer.aws import ec2, ledger
from deployer.observe import logger
from deployer.settings import settings


def remove_unneeded(account: Account, *, looked_at_all: bool) -> None:
    """Call this after the apps were handled.

    A group of a single deployment is removed when its task is gone. A shared group is removed when no app uses
    its port any more, but only if this sweep has seen every app, and if no deployment is in progress, because
    it might be about to use the group. If one begins at this moment, RunTask creates the group again.
    """
    if account.started is None:
        return
    for group in ec2.groups_of(stack=settings().stack):
        if group.deployment:
            unneeded = group.deployment not in account.started and not _is_under_way(group)
        else:
            unneeded = looked_at_all and not account.incomplete and _no_app_needs(group, account)
        if unneeded and ec2.delete_group(group.id):
            logger.info("Removed a security group", extra={"group": group.id, "ports": sorted(group.ports)})


def _is_under_way(group: ec2.Group) -> bool:
    open_ones = ledger.open_deployments(app=group.app)
    return any(each.deployment == group.deployment and not each.outcome for each in open_ones)


def _no_app_needs(group: ec2.Group, account: Account) -> bool:
    """Whether neither this sweep's facts nor, since they may be minutes old, the ledger name the group."""
    if account.to_come or group.ports & account.ports:
        return False
    for app in {*account.apps(), *ledger.apps()}:
        if any(each.to_come for each in ledger.open_deployments(app=app)):
            return False
        current = ledger.current(app=app)
        if current and not group.ports.isdisjoint(current.ports):
            return False
    return True
