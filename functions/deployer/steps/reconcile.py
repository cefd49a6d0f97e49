"""Reconcile, every five minutes: makes up for what no event told."""

import functools
import hashlib
import time
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from deployer import address, healing, outcomes
from deployer.aws import apigateway, ecr, ecs, ledger, sns, step_functions
from deployer.domain.errors import DeployError
from deployer.domain.failure import explain
from deployer.domain.mail import Context, failed
from deployer.domain.push import Push
from deployer.domain.task import Task, Verdict
from deployer.observe import logger
from deployer.settings import settings, watch

# An event that has not come by then will not come.
EVENTS_TAKE = 120


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return what was done, by app; `{}` is what should come of it nearly always.

    One app's trouble does not keep the others from being looked after.
    """
    running = ecs.running_tasks(cluster=settings().cluster)
    since = ledger.first_sweep(table=settings().ledger, now=int(time.time()))
    watched = {name for name in ecr.repositories() if fnmatchcase(name, watch().repositories)}
    addresses = _addresses()
    ours = {tags["portcall:app"] for _, _, tags in running if "portcall:app" in tags} | set(addresses.values())
    done: dict[str, Any] = {}
    for app in sorted(watched | ours):
        try:
            tasks = {task.arn: by for task, by, tags in running if tags.get("portcall:app") == app}
            acts = [*_end_what_was_aborted(app), *_stop_what_nobody_owns(app, tasks), *_revive(app, tasks)]
            acts += _close_what_nobody_owns(app, [api for api, owner in addresses.items() if owner == app])
            acts += _deploy_what_was_missed(app, since) if app in watched else []
        except DeployError as error:
            acts = [f"failed: {error}"]
        if acts:
            done[app] = acts
            logger.warning("The sweep found something", extra={"app": app, "acts": acts})
    return done


def _end_what_was_aborted(app: str) -> list[str]:
    """A deployment whose execution ended without an outcome gets one, and its mail."""
    config = settings()
    acts = []
    for each in ledger.deployments(table=config.ledger, app=app):
        if each.outcome or step_functions.is_running(each.execution):
            continue
        push = Push(each.deployment, each.time, app, each.tag, each.digest)
        current = ledger.current(table=config.ledger, app=app)
        if current and current.deployment == each.deployment:
            outcomes.settle(push, outcomes.DEPLOYED, None, url=current.url)
        else:
            reason = "Its execution ended before the deployment was done."
            why = explain(
                error="AbortedError",
                message=reason,
                task=None,
                log=[],
                port=config.port,
                memory="",
                architecture="",
            )
            where = Context("", "", config.log_group, "", config.region, phases=[])
            serving = current.url if current and not current.halted else ""
            mail = failed(push, why, serving, [], [], where)
            publish = functools.partial(sns.publish, topic=config.topic, news=mail)
            outcomes.settle(push, outcomes.FAILED, publish, reason=reason)
        acts.append(f"ended {each.deployment}")
    return acts


def _stop_what_nobody_owns(app: str, tasks: dict[str, str]) -> list[str]:
    """A task of ours that is neither current nor of a deployment under way is stopped."""
    current = ledger.current(table=settings().ledger, app=app)
    known = {each.deployment: each for each in ledger.deployments(table=settings().ledger, app=app)}
    acts = []
    for arn, started_by in tasks.items():
        deployment = known.get(started_by)
        under_way = deployment is not None and not deployment.outcome
        if not under_way and not (current and current.task == arn):
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
    if current is None or current.halted or current.task in tasks:
        return []
    open_ones = [each for each in ledger.deployments(table=settings().ledger, app=app) if not each.outcome]
    if any(each.deployment.startswith("restart-") for each in open_ones):
        return []
    task: Task | None = ecs.describe_task(cluster=settings().cluster, task=current.task)
    if task and task.verdict is not Verdict.STOPPED:
        return []
    # A restart that came to nothing is dealt with as a stop of its own, or it would count as known.
    arn = current.task if current.healing != current.task else f"{current.task}-{current.attempts}"
    outcome = healing.heal(app=app, current=current, task=task, arn=arn)
    if outcome == "known":
        return []
    address.let_go(app)
    return [f"{outcome} {current.task}"]


def _deploy_what_was_missed(app: str, since: int) -> list[str]:
    """The newest push of the app is deployed if the ledger has never heard of it."""
    tag_pattern = watch().tags
    images = [
        (image.pushed_at, image.digest, tag)
        for image in ecr.tagged_images(repository=app)
        for tag in image.tags
        if fnmatchcase(tag, tag_pattern)
    ]
    if not images:
        return []
    pushed_at, digest, tag = max(images)
    if pushed_at < since or pushed_at > time.time() - EVENTS_TAKE:
        return []
    known = [each for each in ledger.deployments(table=settings().ledger, app=app) if each.tag == tag]
    if known and known[0].digest == digest:
        return []
    name = "sweep-" + hashlib.sha256(f"{app}:{tag}@{digest}#{pushed_at}".encode()).hexdigest()[:40]
    at = datetime.fromtimestamp(pushed_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    push = Push(name, at, app, tag, digest)
    started = step_functions.start_execution(machine=watch().state_machine, name=name, document=push.event())
    return [f"deployed {tag}, whose event was lost"] if started else []
