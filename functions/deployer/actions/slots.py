"""Frees the slot of an app that no longer needs it. What takes one is in `slot_admission`."""

from deployer.aws import ledger


def free(app: str, *, but: str = "") -> None:
    """Free the app's slot, unless the app runs, or a deployment of it other than `but` is to come.

    The sweep frees what this leaves.
    """
    pushes = ledger.app_pushes(app=app)
    if any(each.to_come for each in pushes.open if each.deployment != but):
        return
    if ledger.current(app=app) is None:
        ledger.free_slot(app=app, noted=pushes.noted, seen=None)
