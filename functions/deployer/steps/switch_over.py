"""SwitchOver: makes the new version the app's current one, and only then stops the one before it."""

import dataclasses
import time
from datetime import UTC, datetime
from typing import Any

from deployer import outcomes
from deployer.aws import ec2, ecs, ledger, meeting
from deployer.domain import preview
from deployer.domain.errors import ContendedError, PermanentError
from deployer.domain.image import ImageSpec
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.settings import Settings, settings


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return `{"verdict": "current" or "superseded", "previous": digest or "", "notes": [...]}`.

    Raises TaskStoppedError if the new version has died since it answered, and ContendedError where another
    execution changed the app's current deployment at the same moment.
    """
    config = settings()
    push = Push.from_event(event, by_tag=config.by_tag)
    seen = ledger.current(table=config.ledger, app=push.app)
    if seen and seen.deployment != push.deployment and _is_later(seen, event):
        ecs.stop_task(cluster=config.cluster, task=event["task"]["arn"], reason="Portcall: superseded")
        reason = f"Another deployment, {seen.deployment}, took the place."
        outcomes.settle(push, outcomes.SUPERSEDED, None, reason=reason, **outcomes.so_far(event))
        return {"verdict": "superseded", "previous": "", "notes": []}
    if seen is None or seen.deployment != push.deployment:
        # It answered, and may have died since: the one before is not given up for that.
        meeting.still_runs(table=config.ledger, task=event["task"]["arn"])
        seen = _switch(event, push, config, seen)
    notes = _stop_retired(config, push, seen)
    _close_unused_ports(event)
    logger.info("Switched over", extra={"app": push.app, "task": seen.task})
    notes += preview.note(seen.until, preview=config.is_preview(push.tag))
    return {"verdict": "current", "previous": seen.previous, "notes": notes}


def _is_later(seen: ledger.Current, event: dict[str, Any]) -> bool:
    """Whether what serves was pushed later; a restart takes only the place of what it restarts."""
    if "restart" in event:
        return bool(seen.deployment != event["restart"]["deployment"])
    return bool(seen.sequence >= event["admission"]["sequence"])


def _switch(event: dict[str, Any], push: Push, config: Settings, seen: ledger.Current | None) -> ledger.Current:
    """The one write that makes this deployment the current one."""
    image = ImageSpec.from_document(event["image"])
    new = ledger.Current(
        deployment=push.deployment,
        sequence=event["admission"]["sequence"],
        task=event["task"]["arn"],
        url=event["health"]["url"],
        digest=push.digest,
        tag=push.tag,
        revision=event["taskDefinition"]["arn"],
        until=_until(event, push, config, seen),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        # The one port on which it answers: a restart need not look for it again.
        image=dataclasses.replace(image, ports=[event["health"]["port"]]).document(),
        previous=seen.digest if seen and "restart" not in event else "",
        crashes=seen.crashes if seen and "restart" in event else [],
        # Those that a SwitchOver before this one did not get round to stopping come along.
        retired=[*seen.retired, seen.task] if seen else [],
    )
    if not ledger.make_current(table=config.ledger, push=push, new=new, seen=seen):
        raise ContendedError("Another deployment of the app switched over at the same moment.")
    return dataclasses.replace(new, version=(seen.version if seen else 0) + 1)


def _until(event: dict[str, Any], push: Push, config: Settings, seen: ledger.Current | None) -> int:
    """A push gives the app its whole time again, a restart does not."""
    if seen and "restart" in event:
        return seen.until
    is_preview = config.is_preview(push.tag)
    return preview.until(
        time.time(), asked=event["image"]["expires"], preview=is_preview, hours=config.preview_hours
    )


def _close_unused_ports(event: dict[str, Any]) -> None:
    """Where the image named several ports, the task's own security group opens them all until now."""
    unused = [port for port in event["image"]["ports"] if port != event["health"]["port"]]
    if unused:
        ec2.close_ports(group=event["task"]["securityGroup"], ports=unused)


def _stop_retired(config: Settings, push: Push, current: ledger.Current) -> list[str]:
    """Stop the tasks of earlier deployments; a refusal is told, for the new version is live all the same."""
    try:
        for task in current.retired:
            ecs.stop_task(cluster=config.cluster, task=task, reason="Portcall: replaced by a newer version")
    except PermanentError as refused:
        return [f"The version before could not be stopped, still runs, and costs money: {refused}"]
    if current.retired:
        # Lost to a newer deployment, that one has them on its list.
        ledger.change_current(
            table=config.ledger, app=push.app, new=dataclasses.replace(current, retired=[]), seen=current
        )
    return []
