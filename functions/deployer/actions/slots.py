"""Frees the slot of an app that no longer needs it.

`slot_admission` takes slots. It is a module of its own, because its function has no permission to free one.
"""

from deployer.aws import ledger


def free(app: str, *, but: str = "") -> None:
    """Free the app's slot, unless the app runs, or a deployment of it other than `but` is in progress.

    The sweep frees the slots that this could not free.
    """
    pushes = ledger.app_pushes(app=app)
    if any(each.to_come for each in pushes.open if each.deployment != but):
        return
    if ledger.current(app=app) is None:
        ledger.free_slot(app=app, noted=pushes.noted, seen=None)
