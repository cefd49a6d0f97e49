"""AdmitPush: makes sure that each push is deployed only once, and not if a newer push superseded it."""

import time

from deployer.actions import app_names, image_claim, outcomes, push_holds, superseded
from deployer.aws import ecr, ledger
from deployer.domain.document import Admission, Document, Execution, Restart, Retry
from deployer.domain.errors import (
    BadEventError,
    DuplicateError,
    HeldError,
    SameImageError,
    SupersededError,
    TagNotSeenError,
)
from deployer.domain.push import Push
from deployer.domain.superseded import NEWER_PUSH, TAG_WAS_DELETED
from deployer.observe import logger
from deployer.ready import ready

# ECR's reads are eventually consistent: it may take this long to show a push.
ECR_DELAY_SECONDS = 30


@ready("dynamodb", "ecr", "events")
@logger.inject_lambda_context(correlation_id_path="push.id")
def handler(event: Execution, context: object) -> Admission:
    """Take `{"execution": ARN, "push": the event}`; return `{"result", "sequence": number, "app", "at"}`.

    Raises DuplicateError, SupersededError, SameImageError, or HeldError if the push is not to be deployed. The
    number is drawn before the tag is read. So a push with a larger number, whose tag points to it, was pushed
    later. A retry keeps the number of the first attempt. Raises TagNotSeenError if ECR may not show the push
    yet, and ContendedError if another push of the image is admitted at the same moment.
    """
    push = app_names.push_of(event["push"])
    sequence = _admit(event, push)
    logger.info("Admitted a push", extra={"app": push.app, "sequence": sequence})
    return {"result": "admitted", "sequence": sequence, "app": push.app, "at": time.time()}


def _admit(event: Execution, push: Push) -> int:
    """The push's sequence number."""
    document = event["push"]
    restart, retry = document.get("restart"), document.get("retry")
    if restart:
        _hold_against_the_ledger(push, document)
    elif "image" in document:
        raise BadEventError("The event has the configuration of the image, which only a restart may have.")
    before = _attempt_before(push, retry) if retry else None
    asked = document.get("asked") or {}
    if asked and (before or _noted(push)).asked != asked:
        raise BadEventError("The event names an operator's request that is not in the ledger.")
    drawn = ledger.next_in_order(push=push, now=time.time())
    number = drawn.number
    if restart:
        # The number of the deployment that it restarts, so any push in progress supersedes it.
        number = restart["sequence"]
    elif before and before.sequence:
        number = before.sequence
    sequence = ledger.claim(
        push=push,
        execution=event["execution"],
        sequence=number,
        restart=restart,
        retry=retry,
        asked=asked,
    )
    if sequence is None:
        raise DuplicateError("Another execution handles this push.")
    if restart:
        _check_restart(push, restart)
        return sequence
    if asked and sequence < drawn.newest:
        # RegisterTaskDefinition would find that, too, but after the tag was taken from the newer push.
        # That push may have to be tried again.
        superseded.supersede(push, reason=NEWER_PUSH)
        raise SupersededError(NEWER_PUSH)
    by_digest = bool(asked.get("by_digest"))
    if not by_digest:
        _check_tag(push, document, before)
    name = before.deployment if before else ""
    seen = image_claim.read(push)
    if first := image_claim.handled_by(push, seen, before=name, asked=bool(asked)):
        reason = f"Another tag of an image that deployment {first} handles."
        superseded.note_further_tag(push)
        outcomes.record_outcome(push, outcomes.SAME_IMAGE, None, reason=reason, same_as=first)
        raise SameImageError(reason)
    if why := push_holds.why_not(push, asked, seen.current, drawn.others):
        raise HeldError(why)
    ledger.note_in_order(push=push, sequence=sequence, of_tag=not by_digest)
    return sequence


def _noted(push: Push) -> ledger.Deployment:
    """The recorded request of the operator who asked for this deployment, {} for a push."""
    noted = ledger.deployment(app=push.app, time=push.time, name=push.deployment)
    is_of_this = noted and (noted.tag, noted.digest) == (push.tag, push.digest)
    return noted if noted and is_of_this else ledger.Deployment(push.deployment, push.time, "", "")


def _check_tag(push: Push, document: Document, before: ledger.Deployment | None) -> None:
    """Claim the push of its tag; raise SupersededError or DuplicateError if there is nothing left to do."""
    now = ecr.digest_of(repository=push.repository, tag=push.tag)
    if now != push.digest:
        _wait_for_ecr(push, now)
        reason = f"The tag now points to {now}." if now else TAG_WAS_DELETED
        superseded.supersede(push, reason=reason)
        raise SupersededError(reason)
    as_of = int(document.get("found", {}).get("at", 0))
    instead_of = before.deployment if before else ""
    if document.get("asked") and (known := ledger.tag(app=push.app, tag=push.tag)):
        # An operator asked for it again, whatever happened before.
        instead_of = known.deployment
    other = ledger.claim_tag(push=push, as_of=as_of, instead_of=instead_of)
    if other:
        reason = f"{other} handles this push."
        outcomes.record_outcome(push, outcomes.DUPLICATE, None, reason=reason)
        raise DuplicateError(reason)


def _wait_for_ecr(push: Push, now: str) -> None:
    """Raise TagNotSeenError if ECR may still show the tag's previous digest."""
    if time.time() - push.pushed_at > ECR_DELAY_SECONDS:
        return
    known = ledger.tag(app=push.app, tag=push.tag)
    if not now or (known and known.digest == now and known.as_of <= push.pushed_at):
        raise TagNotSeenError(f"ECR does not show yet that {push.repository}:{push.tag} is {push.digest}.")


def _attempt_before(push: Push, retry: Retry) -> ledger.Deployment:
    before = ledger.deployment(app=push.app, time=push.time, name=str(retry["of"]))
    if before is None or (before.tag, before.digest) != (push.tag, push.digest):
        raise BadEventError("The event asks for another attempt, but the ledger has no earlier one.")
    return before


def _hold_against_the_ledger(push: Push, document: Document) -> None:
    """Check that the event asks for a restart of what the ledger says is current."""
    current, restart = ledger.current(app=push.app), document["restart"]
    if current is None or current.deployment != restart["deployment"]:
        return
    said = (restart["sequence"], restart["revision"], document.get("image"), push.digest)
    if said != (current.sequence, current.revision, current.image, current.digest):
        raise BadEventError(
            "The event asks for a restart of a deployment that is not the current one in the ledger."
        )


def _check_restart(push: Push, restart: Restart) -> None:
    """Raise SupersededError if the deployment is no longer the current one, or must stay down."""
    current = ledger.current(app=push.app)
    # It may be current itself: a call that was taken for lost continues after the one that repeated it.
    ours = (restart["deployment"], push.deployment)
    if current is None or current.gave_up_reason or current.deployment not in ours:
        reason = "Another version is current now, or the app must stay down."
        outcomes.record_outcome(push, outcomes.SUPERSEDED, None, reason=reason)
        raise SupersededError(reason)
