"""Frees the slot of an app that no longer needs it."""

from deployer.aws import ledger


def free(app: str, *, but: str = "") -> None:
    """Free the app's slot, unless the app runs, or a deployment of it other than `but` is to come.

    The sweep frees what this leaves.
    """
    noted = ledger.noted(app=app)
    open_ones = ledger.open_deployments(app=app)
    if any(each.to_come for each in open_ones if each.deployment != but):
        return
    if ledger.current(app=app) is None:
        ledger.free_slot(app=app, noted=noted, seen=None)
