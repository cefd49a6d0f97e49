"""Reconcile, every five minutes: makes up for what no event told."""

import hashlib
import time
import uuid
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from deployer import address, failing, healing, mailing, outcomes, previews
from deployer.aws import apigateway, ec2, ecr, ecs, ledger, step_functions
from deployer.domain import failure, preview
from deployer.domain.errors import DeployError, MailLimitError
from deployer.domain.push import Push
from deployer.domain.task import Task, Verdict
from deployer.observe import logger
from deployer.settings import settings, watch
from deployer.steps import end_preview

# When an image was pushed (UNIX seconds), its digest, its tag.
Pushed = tuple[int, str, str]

# An event that has not come by then will not come; a sweep that has not found it in a day is not to find it.
EVENTS_TAKE = 120
EVENTS_MATTER = 24 * 60 * 60
# A function that was at work when its execution was aborted goes on for a moment.
STEPS_TAKE = 3
# The function's time-out; the next sweep comes later than that.
TAKES_AT_MOST = 240


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return what was done, by app; `{}` is what should come of it nearly always.

    One sweep at a time: one that begins meanwhile only says so. One app's trouble does not keep the others
    from being looked after.
    """
    config = settings()
    now = int(time.time())
    sweep = uuid.uuid4().hex
    since = ledger.begin_sweep(table=config.ledger, sweep=sweep, now=now, until=now + TAKES_AT_MOST)
    if since is None:
        return {"skipped": "another sweep is at it"}
    try:
        return _sweep(since)
    finally:
        mailing.stubbornly(lambda: ledger.end_sweep(table=config.ledger, sweep=sweep))


def _sweep(since: int) -> dict[str, Any]:
    running = ecs.running_tasks(cluster=settings().cluster)
    pushed, addresses = _pushed(), _addresses()
    ours: dict[str, dict[str, str]] = {}
    for task, started_by, tags in running:
        # A task that somebody runs from one of our revisions may bear its tags.
        if "portcall:app" in tags and tags.get("portcall:deployment") == started_by:
            ours.setdefault(tags["portcall:app"], {})[task.arn] = started_by
    done: dict[str, Any] = {}
    for app in sorted({*pushed, *ours, *addresses.values(), *ledger.slots(table=settings().ledger)}):
        try:
            tasks = ours.get(app, {})
            acts = _end_what_is_over(app)
            if not acts:
                acts = [*_end_what_was_aborted(app), *_stop_what_nobody_owns(app, tasks), *_revive(app, tasks)]
                acts += _close_what_nobody_owns(app, [api for api, owner in addresses.items() if owner == app])
                acts += _deploy_what_was_missed(app, pushed.get(app, []), since)
        except Exception as error:
            # Whatever it is, and be it a bug that only this app's records bring out.
            logger.exception("An app could not be looked after", extra={"app": app})
            acts = [f"failed: {error}"]
        if acts:
            done[app] = acts
            logger.warning("The sweep found something", extra={"app": app, "acts": acts})
    _remove_groups({started_by for _, started_by, _ in running})
    return done


def _remove_groups(started: set[str]) -> None:
    """The security group that a deployment has to itself goes with its task; one still in use stays."""
    for group in ec2.groups_of(stack=settings().stack):
        if group.deployment and group.deployment not in started:
            open_ones = ledger.open_deployments(table=settings().ledger, app=group.app)
            if not any(each.deployment == group.deployment and not each.outcome for each in open_ones):
                ec2.delete_group(group.id)


def _pushed() -> dict[str, list[Pushed]]:
    """The tagged images of the watched repositories, by app."""
    found: dict[str, list[Pushed]] = {}
    for repository in ecr.repositories():
        if not fnmatchcase(repository, watch().repositories):
            continue
        try:
            images = ecr.tagged_images(repository=repository)
        except DeployError as error:
            logger.warning("A repository could not be read", extra={"app": repository, "reason": str(error)})
            continue
        for image in images:
            for tag in image.tags:
                if image.may_be_app and fnmatchcase(tag, watch().tags):
                    app = f"{repository}:{tag}" if settings().by_tag else repository
                    found.setdefault(app, []).append((image.pushed_at, image.digest, tag))
    return found


def _end_what_is_over(app: str) -> list[str]:
    """An app whose time is up, or a preview whose tag is gone, is stopped for good; its slot is free then."""
    config = settings()
    current = ledger.current(table=config.ledger, app=app)
    repository, _, tag = app.partition(":")
    reason = ""
    if current is None and not config.is_preview(tag):
        return []
    if current is None:
        under_way = any(not each.outcome for each in ledger.deployments(table=config.ledger, app=app))
        if not under_way and app in ledger.slots(table=config.ledger):
            ledger.free_slot(table=config.ledger, app=app)
            return ["freed its slot"]
        return []
    if current.ended:
        reason = current.halted
    elif 0 < current.until <= time.time():
        reason = f"Its time was up at {preview.moment(current.until)}."
    elif config.is_preview(tag) and not ecr.digest_of(repository=repository, tag=tag):
        reason = end_preview.REASON
    return ["ended it"] if reason and previews.end(app=app, current=current, reason=reason) else []


def _end_what_was_aborted(app: str) -> list[str]:
    """A deployment whose execution ended without its outcome, or without the mail of it, gets what it lacks."""
    acts, told = [], []
    for each in ledger.open_deployments(table=settings().ledger, app=app):
        if each.told_at:
            told.append(each)
            continue
        # What could not be claimed has no execution.
        ending = step_functions.ending(each.execution) if each.execution else step_functions.Ending("GONE")
        if ending is None:
            continue
        time.sleep(max(0.0, min(ending.at + STEPS_TAKE - time.time(), STEPS_TAKE)))
        _end(app, each, ending)
        acts.append(f"ended {each.deployment}")
    if told:
        ledger.close(table=settings().ledger, app=app, deployments=told)
    return acts


def _end(app: str, deployment: ledger.Deployment, ending: step_functions.Ending) -> None:
    push = Push(deployment.deployment, deployment.time, app, deployment.tag, deployment.digest)
    current = ledger.current(table=settings().ledger, app=app)
    if _is_old_news(deployment, current):
        outcome = deployment.outcome or outcomes.SUPERSEDED
        reason = deployment.reason or "Another deployment took the place."
        outcomes.settle(push, outcome, None, reason=reason)
        return
    document = push.event() | {
        "admission": {"sequence": deployment.sequence},
        "taskDefinition": {"arn": deployment.revision},
        "task": {"arn": deployment.task},
        **({"restart": deployment.restart} if deployment.restart else {}),
    }
    _, cause = failure.read_error({"Cause": ending.cause})
    how = f"{ending.status}, {cause}" if ending.cause else ending.status
    error = deployment.error or "AbortedError"
    reason = deployment.reason or f"Its execution ended before the deployment was done: {how}"
    for wait in (1, 1, 1, 1, 0):
        try:
            failing.end(document, error=error, message=reason)
            return
        except MailLimitError:
            if not wait:
                raise
            time.sleep(wait)


def _is_old_news(deployment: ledger.Deployment, current: ledger.Current | None) -> bool:
    """Whether another deployment serves, so that nobody needs to hear of this one, unless it failed."""
    if current is None or current.deployment == deployment.deployment:
        return deployment.outcome == outcomes.SUPERSEDED
    if deployment.outcome:
        return deployment.outcome != outcomes.FAILED
    if deployment.restart:
        return bool(current.deployment != deployment.restart["deployment"])
    return current.sequence > deployment.sequence


def _stop_what_nobody_owns(app: str, tasks: dict[str, str]) -> list[str]:
    """A task of ours that is neither current nor of a deployment under way is stopped."""
    # In this order: what is done with by the first look has left its task current by the second.
    under_way = {
        each.deployment
        for each in ledger.open_deployments(table=settings().ledger, app=app)
        if not each.outcome
    }
    current = ledger.current(table=settings().ledger, app=app)
    acts = []
    for arn, started_by in tasks.items():
        if started_by not in under_way and not (current and current.task == arn):
            if current and arn in current.retired:
                # Its hand-over was not brought to an end, so the address may still lead to it.
                address.lead(app)
            ecs.stop_task(cluster=settings().cluster, task=arn, reason="Portcall: no deployment owns this task")
            acts.append(f"stopped {arn}")
    return acts


def _addresses() -> dict[str, str]:
    """The addresses that stay, by API, with the app of each. Without API Gateway the sweep does the rest."""
    try:
        return apigateway.addresses_of(stack=settings().stack)
    except DeployError as error:
        logger.warning("The addresses could not be listed", extra={"reason": str(error)})
        return {}


def _close_what_nobody_owns(app: str, apis: list[str]) -> list[str]:
    """An address that is neither of the current deployment nor, perhaps, of one under way is closed."""
    if not apis or any(not each.outcome for each in ledger.deployments(table=settings().ledger, app=app)):
        return []
    current = ledger.current(table=settings().ledger, app=app)
    acts = []
    for api in apis:
        if not (current and current.address and current.address.api == api):
            apigateway.close_address(api)
            acts.append(f"closed {api}")
    return acts


def _revive(app: str, tasks: dict[str, str]) -> list[str]:
    """The current task that died without an event is started again, unless that is under way."""
    current = ledger.current(table=settings().ledger, app=app)
    if current is None or current.task in tasks:
        return []
    if current.halted:
        return [f"told that {app} is down"] if healing.tell_again(app, current) == "halted" else []
    open_ones = [each for each in ledger.open_deployments(table=settings().ledger, app=app) if not each.outcome]
    if any(each.restart for each in open_ones):
        return []
    task: Task | None = ecs.describe_task(cluster=settings().cluster, task=current.task)
    if task and task.verdict is not Verdict.STOPPED:
        return []
    # A restart that came to nothing is dealt with as a stop of its own, or it would count as known.
    stop = f"{current.task}#{current.attempts}" if current.healing else current.task
    try:
        outcome = healing.heal(app=app, current=current, task=task, stop=stop)
    finally:
        address.let_go(app)
    return [] if outcome == "known" else [f"{outcome} {current.task}"]


def _deploy_what_was_missed(app: str, images: list[Pushed], since: int) -> list[str]:
    """The newest push of the app is deployed if the ledger has never heard of it."""
    if not images:
        return []
    pushed_at, digest, tag = max(images)
    now = time.time()
    # The ledger forgets after 90 days; what it has forgotten was not missed.
    if not max(since, now - EVENTS_MATTER) <= pushed_at <= now - EVENTS_TAKE:
        return []
    known = [each for each in ledger.deployments(table=settings().ledger, app=app) if each.tag == tag]
    if known and known[0].digest == digest:
        return []
    current = ledger.current(table=settings().ledger, app=app)
    if current and (current.digest, current.tag) == (digest, tag):
        return []
    name = "sweep-" + hashlib.sha256(f"{app}:{tag}@{digest}#{pushed_at}".encode()).hexdigest()[:40]
    at = datetime.fromtimestamp(pushed_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    push = Push(name, at, app, tag, digest)
    started = step_functions.start_execution(machine=watch().state_machine, name=name, document=push.event())
    return [f"deployed {tag}, whose event was lost"] if started else []
