"""The outcome of a deployment that was switched over; the ledger says whether it is still current."""

from collections.abc import Mapping
from typing import Any

from deployer.actions import further_tags, mail_limit, outcomes, superseded
from deployer.aws.ledger import AppPushes
from deployer.domain import mail, operation, ports, slow_start, task_definition, timing
from deployer.domain.deployment import Current
from deployer.domain.document import Document
from deployer.domain.image_spec import ImageSpec
from deployer.domain.push import Push
from deployer.settings import settings

STEPS_WITH_NOTES = ("health", "findings", "task", "switch", "stopped")
RESTARTED = "It stopped once after it went live, and was restarted."


def record_outcome(
    document: Document,
    push: Push,
    current: Current | None,
    *,
    pushes: AppPushes | None = None,
    note: str = "",
) -> bool:
    """Record the outcome and send the mail that fits; return whether the app is live.

    `document` is the workflow's document so far. `current` is the ledger's record, read after the switch-over.
    The mail does not call a version live that has stopped since. A version that was replaced gets no mail.
    `pushes` are the app's other unfinished pushes, if they have been read. `note` is one more line for the
    mail.
    """
    if current is None or not _is_there(push, current):
        _supersede(document, push, current)
        return False
    facts = outcomes.so_far(document) | {"task": current.task, "revision": current.revision}
    if note:
        facts["note"] = note
    if current.stopped:
        facts["stopped"] = current.reason or current.gave_up_reason
    else:
        facts |= {"url": _url(document, current), "direct_url": current.direct_url}

    others = [] if "restart" in document else superseded.mailed_with_live(push, current.sequence, pushes)

    def publish() -> None:
        notes = [*further_tags.note(push), *superseded.note(push, others), *([note] if note else [])]

        def latest(now: Current | None) -> mail.Mail | None:
            return _news(document, push, now, notes)

        if mail_limit.publish(push, latest):
            superseded.close(push, others)

    outcomes.record_outcome(push, outcomes.DEPLOYED, publish, **facts)
    return not current.stopped


def _supersede(document: Document, push: Push, current: Current | None) -> None:
    if current is None or current.ended:
        reason = "The app has ended."
    else:
        reason = "Another deployment replaced it before its email was sent."
        if "restart" not in document:
            superseded.supersede(push, **outcomes.so_far(document, reason=reason))
            return
    outcomes.record_outcome(push, outcomes.SUPERSEDED, None, **outcomes.so_far(document, reason=reason))


def _is_there(push: Push, current: Current) -> bool:
    return current.runs(push.deployment) and not current.ended


def _url(document: Document, current: Current) -> str:
    # Only CheckStableUrl knows that the stable URL points to this version.
    return current.url if "stableUrl" in document or not current.stable_url else current.direct_url


def _news(document: Document, push: Push, current: Current | None, more: list[str]) -> mail.Mail | None:
    """The mail, from what the ledger says now; None if a newer deployment made it pointless."""
    notes, restart = [*_notes(document), *more], document.get("restart")
    if current is None or not _is_there(push, current):
        return None
    where = _context(document, push, current)
    if current.stopped:
        # The result of a restart is in the mail of the next one, or in the mail that gives the app up.
        return None if restart else mail.stopped(push, current.reason, current.gave_up_reason, where)
    url, config = _url(document, current), settings()
    if current.deployment != push.deployment:
        notes.append(RESTARTED)
    if restart:
        asked = bool(restart.get("asked"))
        return mail.live_again(push, url, restart["reason"], notes, where, asked=asked)
    rolled_back = current.previous if current.pin and current.previous in current.pin.bad else ""
    back = config.command(operation.RESUME, push.app) if rolled_back else ""
    return mail.live(push, url, current.previous, notes, where, resume_command=back)


def _notes(document: Document) -> list[str]:
    steps: Mapping[str, Any] = document
    notes = [note for step in STEPS_WITH_NOTES for note in steps.get(step, {}).get("notes", [])]
    if "retry" in document:
        attempt = document["retry"]["attempt"]
        before = document["retry"].get("reason", "")
        notes.append(f"This was attempt {attempt}." + (f" The one before failed: {before}" if before else ""))
    slow = slow_start.notes(timing.phases(document), document.get("image", {}))
    return [*_port_note(document), *notes, *slow]


def _port_note(document: Document) -> list[str]:
    """Which port was chosen, if the image named several."""
    if "health" not in document or "image" not in document:
        return []
    health, named = document["health"], ImageSpec.from_document(document["image"]).candidates
    note = ports.note(named, [port for port in (health["port"], *health.get("also", [])) if port])
    return [note] if note else []


def _context(document: Document, push: Push, current: Current) -> mail.Context:
    config = settings()
    return mail.Context(
        revision=current.revision,
        task=current.task,
        log_group=config.log_group,
        log_stream=task_definition.log_stream(push.app, current.task),
        region=config.region,
        phases=timing.phases(document),
        direct_url=current.direct_url,
        deploy_command=config.deploy_command(push),
    )
