"""SwitchOver: makes the new version current, and only then stops the previous one."""

import dataclasses
import time
from datetime import UTC, datetime

from deployer.actions import outcomes, previous_tasks, stable_url, superseded
from deployer.aws import apigateway, ec2, ecs, ledger, task_states
from deployer.domain import endpoint, holds, preview
from deployer.domain.document import Document, Switch
from deployer.domain.endpoint import StableUrl
from deployer.domain.errors import (
    ContendedError,
    HeldError,
    PermanentError,
    SupersededError,
    TaskStoppedError,
)
from deployer.domain.image_spec import ImageSpec
from deployer.domain.push import Push
from deployer.domain.superseded import TAG_WAS_DELETED
from deployer.domain.task import TaskState
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import Settings, settings

NO_STABLE_URL = "It has no stable URL: "
REFUSED = "API Gateway refused to create one. The next push tries again."


@ready("dynamodb", "ecs")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> Switch:
    """Return `{"result", "takesOver", "url": the one in the mail, "previous": digest or "", "notes": [...]}`.

    The result is `current`, or `moved` if the app has a stable URL, which API Gateway is about to point to the
    new version. `takesOver` says that an earlier task existed and is replaced.

    Raises SupersededError, or HeldError if an operator has stopped the app or rolled back this version. Raises
    TaskStoppedError if the new version has stopped since it answered, and ContendedError if another execution
    changed the app's current deployment at the same moment.
    """
    config = settings()
    push = Push.from_event(event, by_tag=config.by_tag)
    seen = ledger.current(app=push.app)
    # An earlier attempt may have switched over already, and the app may have been restarted since.
    is_current = seen is not None and seen.runs(push.deployment)
    if not is_current and (_is_superseded(seen, event) or _tag_is_gone(push, config)):
        # An earlier attempt may have pointed the stable URL here too late.
        stable_url.point_at_current(push.app)
        ecs.stop_task(cluster=config.cluster, task=event["task"]["arn"], reason="Portcall: superseded")
        if not _is_superseded(seen, event):
            reason = TAG_WAS_DELETED
        else:
            reason = f"Another deployment, {seen.deployment}, replaced it." if seen else "The app has ended."
        if "restart" in event:
            outcomes.record_outcome(push, outcomes.SUPERSEDED, None, **outcomes.so_far(event, reason=reason))
        else:
            superseded.supersede(push, **outcomes.so_far(event, reason=reason))
        raise SupersededError(reason)
    if not is_current and (why := _why_held(push, seen, event)):
        ecs.stop_task(cluster=config.cluster, task=event["task"]["arn"], reason=f"Portcall: {why}"[:255])
        raise HeldError(why)
    if seen is None or not is_current:
        _raise_if_stopped(event["task"]["arn"], config)
        seen = _switch(event, push, config, seen)
    _close_unused_ports(event)
    logger.info("Switched over", extra={"app": push.app, "task": seen.task})
    # A restart's predecessor has stopped, unless an operator asked for the restart.
    replaces = "restart" not in event or bool(event["restart"].get("asked"))
    is_preview = config.is_preview(push.app)
    cut = is_preview and preview.is_cut(event["image"]["expires"], **_hours(config))
    notes = preview.note(seen.until, preview=is_preview, cut=cut)
    result: Switch = {
        "result": "current",
        "takesOver": bool(seen.previous_tasks) and replaces,
        "url": seen.url,
        "previous": seen.previous,
        "notes": notes,
    }
    if seen.stable_url:
        return _point_stable_url(push, seen, result)
    if config.stable_url:
        notes.append(NO_STABLE_URL + (endpoint.no_stable_url(event["health"]["url"]) or REFUSED))
    if not seen.last_stable_url:
        notes = [*previous_tasks.stop(push, seen), *notes]
    # An app that is losing its stable URL keeps the previous version, to which the URL may point, until the
    # sweep has deleted the URL.
    return {**result, "notes": notes}


def _point_stable_url(push: Push, seen: ledger.Current, result: Switch) -> Switch:
    """Point the stable URL at the new version. If AWS refuses, the version is live at its own URL."""
    try:
        stable_url.point_at_current(push.app)
    except PermanentError as refused:
        logger.error("The stable URL was not moved", extra={"app": push.app, "reason": str(refused)})
        why = (
            f"The stable URL {seen.url} does not point to it yet: {refused} Portcall tries again "
            "within minutes."
        )
        return {**result, "url": seen.direct_url, "notes": [why, *result["notes"]]}
    return {**result, "result": "moved"}


def _raise_if_stopped(task: str, config: Settings) -> None:
    """Raise TaskStoppedError if the new version has stopped; then the previous one stays.

    ECS is asked after the app has answered. The event of the stop may be late or lost. By then, another task
    may have the address, and may have answered instead.
    """
    task_states.raise_if_stopped(task=task)
    described = ecs.describe_task(cluster=config.cluster, task=task)
    if described and described.state is TaskState.STOPPED:
        raise TaskStoppedError(described.why_stopped())


def _is_superseded(seen: ledger.Current | None, event: Document) -> bool:
    """Whether the current version was pushed later. A restart replaces its own deployment if not stopped."""
    if "restart" in event:
        return (
            seen is None or bool(seen.gave_up_reason) or bool(seen.deployment != event["restart"]["deployment"])
        )
    return seen is not None and bool(seen.sequence >= event["admission"]["sequence"])


def _why_held(push: Push, seen: ledger.Current | None, event: Document) -> str:
    """Why the newest version must not become current. If this changes before the switch, the switch fails."""
    return "" if "restart" in event else holds.why_not(push.digest, seen, (), event.get("asked") or {})


def _tag_is_gone(push: Push, config: Settings) -> bool:
    """Whether a preview's tag was deleted during this deployment; a later push records the tag again."""
    if not config.is_preview(push.app):
        return False
    known = ledger.tag(app=push.app, tag=push.tag)
    return known is not None and not known.digest


def _switch(event: Document, push: Push, config: Settings, seen: ledger.Current | None) -> ledger.Current:
    """The one write that makes this deployment the current one."""
    image = ImageSpec.from_document(event["image"])
    stable = _stable_url(event, push, config, seen)
    new = ledger.Current(
        deployment=push.deployment,
        sequence=event["admission"]["sequence"],
        task=event["task"]["arn"],
        url=stable.url if stable else event["health"]["url"],
        digest=push.digest,
        tag=push.tag,
        revision=event["taskDefinition"]["arn"],
        until=_until(event, push, config, seen),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        direct_url=event["health"]["url"],
        # A stable URL that the app has lost stays here until the sweep has deleted it.
        last_stable_url=stable or (seen.last_stable_url if seen else None),
        # The port on which it answers, so that a restart need not find it again.
        image=image.answering_on(_used_ports(event)).document(),
        origin=(seen.origin or seen.deployment) if seen and "restart" in event else "",
        previous=(seen.previous if "restart" in event else seen.digest) if seen else "",
        crashes=seen.crashes if seen and "restart" in event else [],
        unwatched_at=seen.unwatched_at if seen and "restart" in event else 0,
        pin=holds.pin_of(seen, push.digest, event.get("asked") or {}, restart="restart" in event),
        # Includes tasks that an earlier SwitchOver did not stop.
        previous_tasks=[*seen.previous_tasks, seen.task] if seen else [],
    )
    is_preview = config.is_preview(push.app)
    if not ledger.make_current(push=push, new=new, seen=seen, while_tagged=is_preview):
        raise ContendedError("Another deployment of the app switched over at the same time.")
    return dataclasses.replace(new, version=(seen.version if seen else 0) + 1)


def _until(event: Document, push: Push, config: Settings, seen: ledger.Current | None) -> int:
    """When the app ends. A push restarts the lifetime, a restart does not."""
    if seen and "restart" in event:
        return seen.until
    is_preview = config.is_preview(push.app)
    return preview.until(time.time(), asked=event["image"]["expires"], preview=is_preview, **_hours(config))


def _hours(config: Settings) -> dict[str, int]:
    """The default and the maximum lifetime of previews, in hours."""
    return {"hours": config.preview_hours, "most_hours": config.max_preview_hours}


def _stable_url(event: Document, push: Push, config: Settings, seen: ledger.Current | None) -> StableUrl | None:
    """The app's stable URL, created if needed; None if it must not or cannot have one."""
    if not config.stable_url or endpoint.no_stable_url(event["health"]["url"]):
        return None
    try:
        return apigateway.create_stable_url(stack=config.stack, app=push.app)
    except PermanentError as refused:
        logger.error("The stable URL could not be created", extra={"app": push.app, "reason": str(refused)})
        return seen.stable_url if seen else None


def _close_unused_ports(event: Document) -> None:
    """Close unused ports: the task's own security group opened every port that the image named."""
    unused = [port for port in event["image"]["ports"] if port not in _used_ports(event)]
    if unused:
        ec2.close_ports(group=event["task"]["securityGroup"], ports=unused)


def _used_ports(event: Document) -> list[int]:
    """The port that answered, and the one that it redirects to; none for a worker."""
    return [port for port in (event["health"]["port"], *event["health"].get("also", [])) if port]
