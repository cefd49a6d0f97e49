"""Sets fields of the current deployment, even if other fields have changed since it was read."""

import dataclasses
from typing import Any

from deployer.aws import ledger
from deployer.domain.deployment import Current
from deployer.domain.errors import ContendedError

# Retries if another function changes the same item at the same moment.
MAX_ATTEMPTS = 5


def note(app: str, seen: Current, **changes: Any) -> None:
    """Set fields of the app's current deployment, as long as it is `seen` or a restart of it.

    Changes nothing if another deployment has become current, or if the app was given up or came up again since.
    """
    current: Current | None = seen
    for _ in range(MAX_ATTEMPTS):
        if current is None or not _is_still(current, seen):
            return
        if ledger.change_current(app=app, new=dataclasses.replace(current, **changes), seen=current):
            return
        current = ledger.current(app=app)
    raise ContendedError(f"The current version of {app} keeps changing.")


def _is_still(current: Current, seen: Current) -> bool:
    same = (current.origin or current.deployment) == (seen.origin or seen.deployment)
    return same and current.gave_up_reason == seen.gave_up_reason
