"""PublishUrl: the mail with the URL."""

import time
from typing import Any

from deployer import further_tags, mail_limit, outcomes
from deployer.domain import mail, ports, task_definition, timing
from deployer.domain.image import ImageSpec
from deployer.domain.push import Push
from deployer.observe import logger, seconds
from deployer.settings import settings


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return `{"at": UNIX seconds}`; a repeat sends no second mail."""
    config = settings()
    push = Push.from_event(event, by_tag=config.by_tag)
    phases = timing.phases(event)
    where = mail.Context(
        revision=event["taskDefinition"]["arn"],
        task=event["task"]["arn"],
        log_group=config.log_group,
        log_stream=task_definition.log_stream(push.app, event["task"]["arn"]),
        region=config.region,
        phases=phases,
        direct_url=event["health"]["url"],
    )
    url = event["switch"]["url"]
    steps = ("health", "findings", "task", "switch", "stopped")
    notes = [*_port_note(event), *(note for step in steps for note in event.get(step, {}).get("notes", []))]
    notes += further_tags.note(push)
    if "retry" in event:
        notes.append(f"It was tried {event['retry']['attempt']} times: before, something failed on AWS's side.")
    if "restart" in event:
        news = mail.live_again(push, url, event["restart"]["reason"], notes, where)
    else:
        news = mail.live(push, url, event["switch"]["previous"], notes, where)
    outcomes.settle(
        push,
        outcomes.DEPLOYED,
        lambda: mail_limit.publish(push, news),
        url=url,
        direct_url=where.direct_url,
        **outcomes.so_far(event),
    )
    seconds("PushToUrl", sum(took for _, took in phases))
    return {"at": time.time()}


def _port_note(event: dict[str, Any]) -> list[str]:
    """Which port was chosen, where the image named several."""
    health, named = event["health"], ImageSpec.from_document(event["image"]).candidates
    note = ports.note(named, [health["port"], *health.get("also", [])])
    return [note] if note else []
