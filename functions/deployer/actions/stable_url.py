"""Points an app's stable URL at the task that the ledger calls current."""

import time

from deployer.aws import apigateway, ledger
from deployer.domain.errors import TransientError
from deployer.observe import logger

# Attempts to point the URL away from a stopped task, and the pause after each.
MAX_ATTEMPTS, PAUSE_SECONDS = 4, 0.5


def point_at_current(app: str) -> None:
    """Point the app's stable URL, if it has one, at its current task, or at nothing if that has stopped.

    Call this after each change of the current deployment. Two calls may overlap in any order, so each reads the
    ledger again at the end.
    """
    current = ledger.current(app=app)
    while current and current.stable_url:
        apigateway.update_target(stable_url=current.stable_url, app=app, target=current.target)
        before, current = current, ledger.current(app=app)
        if current == before:
            return


def point_at_current_with_retries(app: str) -> None:
    """Point the app's stable URL away from a task that has stopped, after its restart was started.

    Transient errors are retried a few times at once. A refusal is raised, so that Lambda calls the function
    again; the sweep repeats the change as well.
    """
    for _ in range(MAX_ATTEMPTS - 1):
        try:
            point_at_current(app)
        except TransientError as error:
            logger.warning("The stable URL points to a stopped task", extra={"app": app, "reason": str(error)})
            time.sleep(PAUSE_SECONDS)
        else:
            return
    point_at_current(app)
