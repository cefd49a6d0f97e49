"""Frees the slot of an app that no longer needs it."""

from deployer.aws import ledger
from deployer.settings import settings


def free(app: str, *, but: str = "") -> None:
    """Free the app's slot, unless the app runs, or a deployment of it other than `but` is to come.

    The sweep frees what this leaves.
    """
    table = settings().ledger
    noted = ledger.noted(table=table, app=app)
    open_ones = ledger.open_deployments(table=table, app=app)
    if any(each.to_come for each in open_ones if each.deployment != but):
        return
    if ledger.current(table=table, app=app) is None:
        ledger.free_slot(table=table, app=app, noted=noted, seen=None)
