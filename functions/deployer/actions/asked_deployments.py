"""Deployments that an operator asks for. They go through the workflow like those of a push."""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployer.aws import ecr, ledger, step_functions
from deployer.domain import holds, operation, versions
from deployer.domain.deployment import IGNORED, RECORDED, RETRIED, Current, Deployment
from deployer.domain.document import Document
from deployer.domain.operation import NoSuchThing, NotPossible, Operation
from deployer.domain.push import Push
from deployer.settings import watch_settings

# How many deployments back to look for a version, and how many images to look up in ECR if one is gone.
DEPLOYMENTS = 1000
# How long AdmitPush may take from the number that it draws to the record of the push.
ADMISSION_SECONDS = 60
Answer = dict[str, Any]


@dataclass(frozen=True)
class Chosen:
    """What to deploy; `by_digest` says that it does not matter where the tag points."""

    tag: str
    digest: str
    by_digest: bool = False


def deploy(asked: Operation, app: str, at: str) -> Answer:
    """Deploy what a tag points to now, as if it had been pushed this moment."""
    current = ledger.current(app=app)
    tag = asked.tag or (current.tag if current else "latest")
    digest = _digest_of(app, tag)
    why = recorded_why(app, digest)
    if why:
        raise NotPossible(f"{why} {_how_to_lift(current, app)}")
    return start(asked, Push(_name(asked), at, app, tag, digest))


def rollback(asked: Operation, app: str, at: str) -> Answer:
    """Deploy a version that was live before, and pin the app to it once it is live again."""
    current = serving(app)
    _must_not_be_stopped(current, app)
    deployments = ledger.deployments(app=app, most=DEPLOYMENTS)
    chosen = versions.choose(asked.to, app, current, deployments)
    repository = app.partition(":")[0]
    _must_be_watched(repository)
    if not ecr.has_image(repository=repository, digest=chosen.digest):
        others = [each for each in versions.that_were_live(current, deployments) if each != chosen]
        there = [
            each
            for each in others[: versions.MAX_LISTED]
            if ecr.has_image(repository=repository, digest=each.digest)
        ]
        raise NotPossible(
            f"The image of {chosen.tag} ({chosen.digest}) is no longer in ECR. {versions.listed(there)}"
        )
    push = Push(_name(asked), at, app, chosen.tag, chosen.digest)
    more: dict[str, Any] = {"from": current.digest, "by_digest": True}
    return start(asked, push, **more) | {"from": current.digest, "from_tag": current.tag}


def resume(asked: Operation, app: str, at: str) -> Answer:
    """Deploy what the tag of the newest push points to. This ends the pin."""
    current = serving(app)
    _must_not_be_stopped(current, app)
    open_ones = ledger.open_deployments(app=app)
    rolls_back = any(each.to_come and each.asked.get("action") == operation.ROLLBACK for each in open_ones)
    if not (current.pin or rolls_back):
        raise NotPossible(f"{app} is not pinned, so there is nothing to resume.")

    def newest(push: Push) -> Chosen:
        pushed = (each.tag for each in _pushes(app) if each.outcome != IGNORED)
        tag = next(pushed, current.tag)
        return Chosen(tag, _digest_of(app, tag))

    return start_chosen(asked, Push(_name(asked), at, app, current.tag, current.digest), newest)


def start_newest(asked: Operation, app: str, at: str, let_in: Callable[[], Current]) -> Answer:
    """Deploy the newest push of a stopped app, or what ran before.

    `let_in` ends the stop and returns what is current. It is called once there is something to start.
    """
    current = serving(app)

    def newest(push: Push) -> Chosen:
        _newest_of_stopped(push, current)
        return _newest_of_stopped(push, let_in())

    return start_chosen(asked, Push(_name(asked), at, app, current.tag, current.digest), newest)


def start_chosen(asked: Operation, push: Push, choose: Callable[[Push], Chosen]) -> Answer:
    """Draw a number, choose by the pushes known then, and start. A push that is admitted afterwards wins."""
    sequence = 0 if asked.dry_run else _draw(push)
    try:
        _must_know_all_pushes(push)
        chosen = choose(push)
    except NotPossible:
        if not asked.dry_run:
            ledger.close_push(push=push)
        raise
    push = dataclasses.replace(push, tag=chosen.tag, digest=chosen.digest)
    return start(asked, push, sequence, **({"by_digest": True} if chosen.by_digest else {}))


def _must_know_all_pushes(asked_for: Push) -> None:
    """Raise NotPossible while a push is being admitted that may have drawn its number before this request."""
    app = asked_for.app
    for time, name in ledger.unclaimed(app=app):
        is_push = name.partition("-")[0] not in operation.ACTIONS
        if is_push and _seconds(asked_for.time) - _seconds(time) < ADMISSION_SECONDS:
            raise NotPossible(f"A push of {app} is being admitted at this moment. Try again in a minute.")


def _pushes(app: str) -> list[Deployment]:
    """The app's pushes, the newest first."""
    deployments = ledger.deployments(app=app, most=DEPLOYMENTS)
    return [each for each in deployments if not (each.asked or each.restart)]


def _newest_of_stopped(push: Push, current: Current) -> Chosen:
    """The newest push that was recorded meanwhile or is about to be, or what ran before."""
    bad = current.pin.bad if current.pin else []
    recorded = (each for each in _pushes(push.app) if each.outcome == RECORDED or each.to_come)
    found = next(
        (each for each in recorded if each.sequence > current.sequence and each.digest not in bad), None
    )
    repository = push.repository
    _must_be_watched(repository)
    tag = found.tag if found else current.tag
    digest = "" if current.pin and not found else ecr.digest_of(repository=repository, tag=tag)
    if digest and digest not in bad:
        return Chosen(tag, digest)
    # It is pinned, or its tag is gone: what it ran before.
    if not ecr.has_image(repository=repository, digest=current.digest):
        raise NotPossible(f"The image of {push.app} ({current.digest}) is no longer in ECR. Push a new image.")
    return Chosen(current.tag, current.digest, by_digest=True)


def restart(asked: Operation, app: str, at: str) -> Answer:
    """Run the current revision as a new task. The old task is stopped once the new one answers."""
    current = serving(app)
    _must_not_be_stopped(current, app)
    if current.stopped:
        raise NotPossible(
            f"{app} is down already: {current.gave_up_reason or current.reason} Start it: portcall start {app}"
        )
    push = Push(_name(asked), at, app, current.tag, current.digest)
    who = holds.who_asked(asked.by) if asked.by else "an operator"
    document = push.event() | {
        "restart": {
            "deployment": current.deployment,
            "sequence": current.sequence,
            "revision": current.revision,
            "reason": f"requested by {who}{f': {asked.reason}' if asked.reason else ''}",
            "refusals": 0,
            "asked": True,
        },
        "image": current.image,
    }
    if not asked.dry_run:
        step_functions.start_execution(
            machine=watch_settings().state_machine, name=push.deployment, document=document
        )
    return started(push, dry_run=asked.dry_run)


def start(asked: Operation, push: Push, sequence: int = 0, **more: Any) -> Answer:
    """Record the deployment, and start the workflow for it, once per name.

    `sequence` is the number that was drawn for it; without one, it draws one.
    """
    if asked.dry_run:
        return started(push, dry_run=True)
    machine = watch_settings().state_machine
    facts = {
        "action": asked.action,
        "by": asked.by,
        "reason": asked.reason,
        "at": push.pushed_at,
        **more,
    }
    noted = ledger.deployment(app=push.app, time=push.time, name=push.deployment)
    if noted is None:
        execution = step_functions.execution_of(machine=machine, name=push.deployment)
        ledger.claim(push=push, execution=execution, sequence=sequence or _draw(push), asked=facts)
    document = push.event() | {"asked": facts, "found": {"at": push.pushed_at}}
    _execute(push, document)
    return started(push)


def _draw(push: Push) -> int:
    return ledger.next_in_order(push=push, now=_seconds(push.time), after_all=True).number


def _seconds(time: str) -> float:
    """A time of an event in UNIX seconds."""
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


def _execute(push: Push, document: Document) -> None:
    machine = watch_settings().state_machine
    step_functions.start_execution(machine=machine, name=push.deployment, document=document)


def again(asked: Operation, app: str, at: str) -> Answer | None:
    """The answer that an earlier call with this request id recorded, None if there is none.

    If that call recorded the deployment but did not start it, this starts it.
    """
    noted = ledger.deployment(app=app, time=at, name=_name(asked))
    if noted is None or not noted.asked:
        return None
    push = Push.of(app, noted)
    document = push.event() | {"asked": noted.asked, "found": {"at": push.pushed_at}}
    step_functions.start_execution(
        machine=watch_settings().state_machine, name=push.deployment, document=document
    )
    return started(push)


def follow(app: str, name: str) -> Answer:
    """The outcome of a deployment, including that of its retries."""
    known = [
        each
        for each in ledger.deployments(app=app, most=50)
        if re.sub(r"^retry-\d+-", "", each.deployment) == name
    ]
    if not known:
        # The workflow's first step records a restart.
        return {"status": "under way", "deployment": name}
    last = max(known, key=lambda each: int(each.retry.get("attempt", 1)))
    if last.to_come or last.outcome == RETRIED:
        return {"status": "under way", "deployment": name}
    return {"status": "ended", **_ended(app, last)}


def _ended(app: str, last: Deployment) -> Answer:
    current = ledger.current(app=app)
    runs = current is not None and current.runs(last.deployment)
    return {
        "deployment": last.deployment,
        "outcome": last.outcome,
        "reason": last.reason,
        "hint": last.hint,
        "url": (current.url if current and runs else last.url),
        "serving": current.url if current and not current.stopped else "",
    }


def started(push: Push, *, dry_run: bool = False) -> Answer:
    """The answer for the caller."""
    return {
        "status": "possible" if dry_run else "started",
        "deployment": push.deployment,
        "app": push.app,
        "tag": push.tag,
        "digest": push.digest,
    }


def serving(app: str) -> Current:
    """The current deployment. Raises NoSuchThing if there is none."""
    current = ledger.current(app=app)
    if current is None or current.ended:
        raise NoSuchThing(f"{app} has ended or was never live. To deploy it: portcall deploy {app}")
    return current


def recorded_why(app: str, digest: str) -> str:
    """Why a deployment of this digest would only be recorded."""
    current = ledger.current(app=app)
    open_ones = ledger.open_deployments(app=app) if current else []
    return holds.why_not(digest, current, open_ones, {})


def _how_to_lift(current: Current | None, app: str) -> str:
    if current and current.stop:
        return f"Start it: portcall start {app}"
    return f"To deploy it anyway: portcall resume {app}"


def _must_not_be_stopped(current: Current, app: str) -> None:
    if current.stop:
        raise NotPossible(f"{app} is stopped{holds.said_by(current.stop)} Start it first: portcall start {app}")


def _must_be_watched(repository: str) -> None:
    if not watch_settings().watches(repository):
        raise NotPossible(
            f"Portcall does not deploy from {repository}. It deploys from these repositories: "
            f"{', '.join(filter(None, watch_settings().repositories))} (RepositoryName, RepositoryPattern)."
        )


def _digest_of(app: str, tag: str) -> str:
    repository, watched = app.partition(":")[0], watch_settings()
    if not (watched.watches(repository) and watched.watches_tag(tag)):
        raise NotPossible(
            f"Portcall does not deploy {repository}:{tag}. It deploys from these repositories: "
            f"{', '.join(filter(None, watched.repositories))}; and these tags: {', '.join(watched.tags)} "
            "(RepositoryName, RepositoryPattern and TagPattern)."
        )
    digest = ecr.digest_of(repository=repository, tag=tag)
    if not digest:
        raise NoSuchThing(f"There is no image {repository}:{tag}. Push it to deploy it.")
    return digest


def _name(asked: Operation) -> str:
    return f"{asked.action}-{asked.id}"
