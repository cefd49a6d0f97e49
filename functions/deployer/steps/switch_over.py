"""SwitchOver: makes the new version current, and only then stops the previous one."""

import dataclasses
import time
from datetime import UTC, datetime

from deployer.actions import outcomes, previous_tasks, stable_url, superseded
from deployer.aws import apigateway, ec2, ecs, ledger, task_states
from deployer.domain import endpoint, holds, preview
from deployer.domain.document import Document, Switch
from deployer.domain.endpoint import StableUrl
from deployer.domain.errors import ContendedError, PermanentError
from deployer.domain.image_spec import ImageSpec
from deployer.domain.push import Push
from deployer.domain.superseded import TAG_WAS_DELETED
from deployer.observe import logger
from deployer.settings import Settings, settings

NO_ADDRESS = "It has no stable URL: "
REFUSED = "API Gateway refused to create one. The next push tries again."


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> Switch:
    """Return `{"result", "takesOver", "url": the one in the mail, "previous": digest or "", "notes": [...]}`.

    The result is `current`, or `superseded`, or `held` if the app is to be down or its version was rolled back
    since, or `moved`: then the app has a stable URL, which points
    to the new version as soon as API Gateway has taken that in. `takesOver` says that it led to another version
    until now, which is not stopped before that.
    Raises TaskStoppedError if the new version has died since it answered, and ContendedError where another
    execution changed the app's current deployment at the same moment.
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
            outcomes.record_outcome(push, outcomes.SUPERSEDED, None, reason=reason, **outcomes.so_far(event))
        else:
            superseded.supersede(push, reason=reason, **outcomes.so_far(event))
        return {"result": "superseded", "takesOver": False, "url": "", "previous": "", "notes": []}
    if not is_current and (why := _why_held(push, seen, event)):
        ecs.stop_task(cluster=config.cluster, task=event["task"]["arn"], reason=f"Portcall: {why}"[:255])
        return {"result": "held", "takesOver": False, "url": "", "previous": "", "notes": []}
    if seen is None or not is_current:
        # It answered, but may have stopped since: then the previous version stays.
        task_states.raise_if_stopped(task=event["task"]["arn"])
        seen = _switch(event, push, config, seen)
    _close_unused_ports(event)
    logger.info("Switched over", extra={"app": push.app, "task": seen.task})
    # What a restart makes up for has stopped; one that somebody asked for takes over from what runs.
    replaces = "restart" not in event or bool(event["restart"].get("asked"))
    is_preview = config.is_preview(push.app)
    cut = is_preview and preview.is_cut(event["image"]["expires"], **_hours(config))
    notes = preview.note(seen.until, preview=is_preview, cut=cut)
    told: Switch = {
        "result": "current",
        "takesOver": bool(seen.previous_tasks) and replaces,
        "url": seen.url,
        "previous": seen.previous,
        "notes": notes,
    }
    if seen.stable_url:
        return _point_stable_url(push, seen, told)
    if config.stable_url:
        notes.append(NO_ADDRESS + (endpoint.no_stable_url(event["health"]["url"]) or REFUSED))
    if not seen.last_stable_url:
        notes = [*previous_tasks.stop(push, seen), *notes]
    # Otherwise the stable URL that it loses may point to the previous version: the sweep deletes that first.
    return {**told, "notes": notes}


def _point_stable_url(push: Push, seen: ledger.Current, told: Switch) -> Switch:
    """Point the stable URL at the new version. If AWS refuses, the version is live at its own URL."""
    try:
        stable_url.point_at_current(push.app)
    except PermanentError as refused:
        logger.error("The address was not moved", extra={"app": push.app, "reason": str(refused)})
        why = (
            f"The stable URL {seen.url} does not point to it yet: {refused} Portcall tries again "
            "within minutes."
        )
        return {**told, "url": seen.direct_url, "notes": [why, *told["notes"]]}
    return {**told, "result": "moved"}


def _is_superseded(seen: ledger.Current | None, event: Document) -> bool:
    """Whether what serves was pushed later. A restart replaces what it restarts, unless that is to be down."""
    if "restart" in event:
        return (
            seen is None or bool(seen.gave_up_reason) or bool(seen.deployment != event["restart"]["deployment"])
        )
    return seen is not None and bool(seen.sequence >= event["admission"]["sequence"])


def _why_held(push: Push, seen: ledger.Current | None, event: Document) -> str:
    """Why the newest version is not to serve; the switch is on condition that this has not changed."""
    return "" if "restart" in event else holds.why_not(push.digest, seen, (), event.get("asked") or {})


def _tag_is_gone(push: Push, config: Settings) -> bool:
    """Whether a preview's tag was deleted while this push of it was under way; a later push notes it again."""
    if not config.is_preview(push.app):
        return False
    known = ledger.tag(app=push.app, tag=push.tag)
    return known is not None and not known.digest


def _switch(event: Document, push: Push, config: Settings, seen: ledger.Current | None) -> ledger.Current:
    """The one write that makes this deployment the current one."""
    image = ImageSpec.from_document(event["image"])
    stays = _address(event, push, config, seen)
    new = ledger.Current(
        deployment=push.deployment,
        sequence=event["admission"]["sequence"],
        task=event["task"]["arn"],
        url=stays.url if stays else event["health"]["url"],
        digest=push.digest,
        tag=push.tag,
        revision=event["taskDefinition"]["arn"],
        until=_until(event, push, config, seen),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        direct_url=event["health"]["url"],
        # A stable URL that the app has lost is kept here until the sweep has deleted it.
        last_stable_url=stays or (seen.last_stable_url if seen else None),
        # The port on which it answers: a restart need not find it again.
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
    """When the app ends. A push starts its lifetime anew, a restart does not."""
    if seen and "restart" in event:
        return seen.until
    is_preview = config.is_preview(push.app)
    return preview.until(time.time(), asked=event["image"]["expires"], preview=is_preview, **_hours(config))


def _hours(config: Settings) -> dict[str, int]:
    """How long previews live, and how long they may."""
    return {"hours": config.preview_hours, "most_hours": config.max_preview_hours}


def _address(event: Document, push: Push, config: Settings, seen: ledger.Current | None) -> StableUrl | None:
    """The app's stable URL, created if needed; None if it is to have none, or cannot have one."""
    if not config.stable_url or endpoint.no_stable_url(event["health"]["url"]):
        return None
    try:
        return apigateway.create_stable_url(stack=config.stack, app=push.app)
    except PermanentError as refused:
        logger.error("The address could not be made", extra={"app": push.app, "reason": str(refused)})
        return seen.stable_url if seen else None


def _close_unused_ports(event: Document) -> None:
    """The task's own security group opened every port that the image named; close the unused ones."""
    unused = [port for port in event["image"]["ports"] if port not in _used_ports(event)]
    if unused:
        ec2.close_ports(group=event["task"]["securityGroup"], ports=unused)


def _used_ports(event: Document) -> list[int]:
    """The port that answered, and the one that it leads to; none for a worker."""
    return [port for port in (event["health"]["port"], *event["health"].get("also", [])) if port]
