"""SwitchOver: makes the new version the app's current one, and only then stops the one before it."""

import dataclasses
import time
from datetime import UTC, datetime
from typing import Any

from deployer import address, outcomes, retired
from deployer.aws import apigateway, ec2, ecs, ledger, meeting
from deployer.domain import endpoint, preview
from deployer.domain.endpoint import Address
from deployer.domain.errors import ContendedError
from deployer.domain.image import ImageSpec
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.settings import Settings, settings

NO_HTTP = "It has no address that stays: StableUrl is for HTTP, and this app speaks plain TCP."


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return `{"verdict", "version", "url": what people are told, "previous": digest or "", "notes": [...]}`.

    The verdict is `current`, or `superseded`, or `moved`: then the app has an address that stays, which leads
    to the new version as soon as API Gateway has taken that in, and until then the one before is not stopped.
    Raises TaskStoppedError if the new version has died since it answered, and ContendedError where another
    execution changed the app's current deployment at the same moment.
    """
    config = settings()
    push = Push.from_event(event, by_tag=config.by_tag)
    seen = ledger.current(table=config.ledger, app=push.app)
    if not (seen and seen.deployment == push.deployment) and _gives_way(seen, event):
        if seen and seen.address:
            # An attempt before this one may have led it here a moment too late.
            address.lead(push.app)
        ecs.stop_task(cluster=config.cluster, task=event["task"]["arn"], reason="Portcall: superseded")
        reason = f"Another deployment, {seen.deployment}, took the place." if seen else "The app has ended."
        outcomes.settle(push, outcomes.SUPERSEDED, None, reason=reason, **outcomes.so_far(event))
        return {"verdict": "superseded", "version": 0, "url": "", "previous": "", "notes": []}
    if seen is None or seen.deployment != push.deployment:
        # It answered, and may have died since: the one before is not given up for that.
        meeting.still_runs(table=config.ledger, task=event["task"]["arn"])
        seen = _switch(event, push, config, seen)
    _close_unused_ports(event)
    logger.info("Switched over", extra={"app": push.app, "task": seen.task})
    told = {"version": seen.version, "url": seen.url, "previous": seen.previous}
    notes = preview.note(seen.until, preview=config.is_preview(push.tag))
    if seen.address:
        address.lead(push.app)
        return {"verdict": "moved", **told, "notes": notes}
    notes += [NO_HTTP] if config.stable_url else []
    return {"verdict": "current", **told, "notes": [*retired.stop(push, seen), *notes]}


def _gives_way(seen: ledger.Current | None, event: dict[str, Any]) -> bool:
    """Whether what serves was pushed later. A restart replaces only what it restarts, unless that ended."""
    if "restart" in event:
        return seen is None or seen.ended or bool(seen.deployment != event["restart"]["deployment"])
    return seen is not None and bool(seen.sequence >= event["admission"]["sequence"])


def _switch(event: dict[str, Any], push: Push, config: Settings, seen: ledger.Current | None) -> ledger.Current:
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
        address=stays,
        # The one port on which it answers: a restart need not look for it again.
        image=image.answering_on([event["health"]["port"], *event["health"].get("also", [])]).document(),
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


def _address(
    event: dict[str, Any], push: Push, config: Settings, seen: ledger.Current | None
) -> Address | None:
    """The address that stays: that of the deployment before, or a new one; None if the app is to have none."""
    if not config.stable_url or event["image"]["health"] == endpoint.TCP:
        return None
    if seen and seen.address and apigateway.is_open(seen.address):
        return seen.address
    return apigateway.open_address(stack=config.stack, app=push.app, target=event["health"]["url"])


def _close_unused_ports(event: dict[str, Any]) -> None:
    """Where the image named several ports, the task's own security group opens them all until now."""
    used = (event["health"]["port"], *event["health"].get("also", []))
    unused = [port for port in event["image"]["ports"] if port not in used]
    if unused:
        ec2.close_ports(group=event["task"]["securityGroup"], ports=unused)
