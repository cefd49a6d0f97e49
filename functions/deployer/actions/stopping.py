"""Stops, starts and ends an app when an operator asks for it."""

import dataclasses
import time

from deployer.actions import asked_deployments, previews, stable_url
from deployer.actions.asked_deployments import Answer
from deployer.aws import ecs, ledger
from deployer.domain import holds
from deployer.domain.deployment import Current, Stop
from deployer.domain.errors import ContendedError, TransientError
from deployer.domain.operation import NoSuchThing, NotPossible, Operation
from deployer.settings import settings

MAX_ATTEMPTS = 5


def stop(asked: Operation, app: str, at: int) -> Answer:
    """Stop the app's task. The app keeps its slot and its stable URL, and new pushes are only recorded."""
    config = settings()
    by = Stop(asked.reason, asked.by, at)
    for _ in range(MAX_ATTEMPTS):
        current = asked_deployments.serving(app)
        if asked.dry_run:
            return _done(app, current, "possible")
        gave_up_reason = f"It was stopped{holds.said_by(by)}"
        new = dataclasses.replace(
            current, stop=by, gave_up_reason=gave_up_reason, gave_up_at=at, notified_at=int(time.time())
        )
        if current.stop or ledger.change_current(app=app, new=new, seen=current):
            break
    else:
        raise ContendedError(f"The current version of {app} keeps changing. Try again in a moment.")
    stable_url.point_at_current_with_retries(app)
    # If this fails from here on, the sweep finishes it.
    for task in [*current.previous_tasks, current.task]:
        ecs.stop_task(cluster=config.cluster, task=task, reason="Portcall: stopped by an operator")
    return _done(app, current, "stopped")


def start(asked: Operation, app: str, at: str) -> Answer:
    """Deploy the newest push of an app that is stopped or down."""

    def let_in() -> Current:
        """End the stop: later pushes are then deployed, and earlier ones are recorded and can be found."""
        for _ in range(MAX_ATTEMPTS):
            current = _stopped(app)
            new = dataclasses.replace(current, stop=None, gave_up_reason=holds.STARTED)
            if asked.dry_run or current.stop is None:
                return current
            if ledger.change_current(app=app, new=new, seen=current):
                return current
        raise ContendedError(f"The current version of {app} keeps changing. Try again in a moment.")

    _stopped(app)
    return asked_deployments.start_newest(asked, app, at, let_in)


def _stopped(app: str) -> Current:
    current = asked_deployments.serving(app)
    if not current.stopped:
        raise NotPossible(f"{app} is not stopped. To restart it: portcall restart {app}")
    return current


def end(asked: Operation, app: str, *, repeated: bool) -> Answer:
    """End the app for good, as a preview ends. For other apps the caller repeats the name to confirm."""
    config = settings()
    current = ledger.current(app=app)
    if current is None and repeated:
        return {"status": "ended", "app": app}
    if current is None:
        raise NoSuchThing(f"There is no app {app}, or it has already ended.")
    if not config.is_preview(app) and asked.confirm != app and not asked.dry_run:
        raise NotPossible(f"{app} is not a preview. To end it, repeat its name as `confirm`.")
    open_ones = ledger.open_deployments(app=app)
    under_way = [each.deployment for each in open_ones if each.to_come]
    if under_way:
        raise NotPossible(f"A deployment of {app} is under way: {under_way[0]}. End the app when it is done.")
    if asked.dry_run:
        return _done(app, current, "possible") | {"preview": "yes" if config.is_preview(app) else ""}
    by = Stop(asked.reason, asked.by, 0)
    try:
        if not previews.end_app(app=app, current=current, reason=f"{holds.ENDED}{holds.said_by(by)}"):
            raise NotPossible(f"{app} has changed in the meantime. Look at it and try again.")
    except TransientError:
        # The sweep then mails that it has ended.
        if ledger.current(app=app) is not None:
            raise
    return _done(app, current, "ended")


def _done(app: str, current: Current, status: str) -> Answer:
    return {
        "status": status,
        "app": app,
        "tag": current.tag,
        "digest": current.digest,
        "url": current.url,
    }
