"""PublishUrl: the mail with the URL."""

import time
from typing import Any

from deployer import further_tags, mail_limit, outcomes, overtaken
from deployer.aws import ledger
from deployer.domain import mail, ports, task_definition, timing
from deployer.domain.errors import NewerPushError
from deployer.domain.image import ImageSpec
from deployer.domain.push import Push
from deployer.observe import logger, seconds
from deployer.settings import settings

# While a newer push is being deployed the mail waits, at most that many times the interval of the retries.
WAITS = 12
REPLACED = "A newer push took its place before it was mailed."


@logger.inject_lambda_context(correlation_id_path="deployment.id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Take `{"attempt", "deployment": the document}`; return `{"at": UNIX seconds}`.

    A repeat sends no second mail. Raises NewerPushError while a newer push is being deployed: what is replaced
    meanwhile is not mailed.
    """
    attempt, event = event["attempt"], event["deployment"]
    config = settings()
    push = Push.from_event(event, by_tag=config.by_tag)
    sequence = event["admission"]["sequence"]
    if "restart" not in event:
        if _is_replaced(push, sequence):
            overtaken.supersede(push, reason=REPLACED, **outcomes.so_far(event))
            return {"at": time.time()}
        _wait_for_newer(push, sequence, attempt)
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
    others = [] if "restart" in event else overtaken.told_live_with(push, sequence)
    notes += [*further_tags.note(push), *overtaken.note(push, others)]
    if "retry" in event:
        notes.append(f"It was tried {event['retry']['attempt']} times: before, something failed on AWS's side.")
    if "restart" in event:
        news = mail.live_again(push, url, event["restart"]["reason"], notes, where)
    else:
        news = mail.live(push, url, event["switch"]["previous"], notes, where)

    def publish() -> None:
        mail_limit.publish(push, news)
        overtaken.close(push, others)

    outcomes.settle(
        push,
        outcomes.DEPLOYED,
        publish,
        url=url,
        direct_url=where.direct_url,
        **outcomes.so_far(event),
    )
    seconds("PushToUrl", sum(took for _, took in phases))
    return {"at": time.time()}


def _is_replaced(push: Push, sequence: int) -> bool:
    current = ledger.current(table=settings().ledger, app=push.app)
    return current is not None and current.sequence > sequence


def _wait_for_newer(push: Push, sequence: int, attempt: int) -> None:
    """In a burst each version would be called live seconds before the next takes its place."""
    if attempt >= WAITS:
        return
    open_ones = ledger.open_deployments(table=settings().ledger, app=push.app)
    if any(each.sequence > sequence and not each.outcome and not each.restart for each in open_ones):
        raise NewerPushError("A newer push of the app is being deployed.")


def _port_note(event: dict[str, Any]) -> list[str]:
    """Which port was chosen, where the image named several."""
    health, named = event["health"], ImageSpec.from_document(event["image"]).candidates
    note = ports.note(named, [health["port"], *health.get("also", [])])
    return [note] if note else []
