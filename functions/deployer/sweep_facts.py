"""Gathers what the sweep decides on: what the account holds, once, and then what is known of each app."""

import dataclasses
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from deployer.aws import apigateway, ecr, ecs, ledger, step_functions
from deployer.domain import sweep
from deployer.domain.deployment import Deployment, Ending
from deployer.domain.errors import DeployError
from deployer.domain.sweep import Facts, Image
from deployer.observe import logger
from deployer.settings import settings, watch


@dataclass
class Account:
    """What is listed once, for all apps; all by app, but `started`: the `startedBy` of every running task."""

    since: int
    tasks: dict[str, dict[str, str]] = field(default_factory=dict)
    images: dict[str, list[Image]] = field(default_factory=dict)
    addresses: dict[str, list[str]] = field(default_factory=dict)
    slots: set[str] = field(default_factory=set)
    started: set[str] = field(default_factory=set)

    def apps(self) -> list[str]:
        """Every app of which anything is known."""
        return sorted({*self.images, *self.tasks, *self.addresses, *self.slots})


def of_account(since: int) -> Account:
    """List everything. `since` is when the first sweep was, in UNIX seconds."""
    account = Account(since, slots=ledger.slots(table=settings().ledger))
    # Before anything that the ledger says of deployments: see Facts.
    for task, started_by, tags in ecs.running_tasks(cluster=settings().cluster):
        account.started.add(started_by)
        # A task that somebody runs from one of our revisions may bear its tags.
        if "portcall:app" in tags and tags.get("portcall:deployment") == started_by:
            account.tasks.setdefault(tags["portcall:app"], {})[task.arn] = started_by
    _list_images(account)
    try:
        for api, app in apigateway.addresses_of(stack=settings().stack).items():
            account.addresses.setdefault(app, []).append(api)
    except DeployError as error:
        logger.warning("The addresses could not be listed", extra={"reason": str(error)})
    return account


def _list_images(account: Account) -> None:
    """The tagged images of the watched repositories."""
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
                    account.images.setdefault(app, []).append(Image(image.pushed_at, image.digest, tag))


def of_app(app: str, account: Account) -> Facts:
    """Everything about one app, in the order that Facts asks for; what is rarely needed only when it is."""
    table = settings().ledger
    repository, _, tag = app.partition(":")
    is_preview = settings().is_preview(tag)
    open_ones = ledger.open_deployments(table=table, app=app)
    endings = {each.deployment: ending for each in open_ones if (ending := _ending(each))}
    current = ledger.current(table=table, app=app)
    facts = Facts(
        app=app,
        now=time.time(),
        is_preview=is_preview,
        tasks=account.tasks.get(app, {}),
        images=account.images.get(app, ()),
        addresses=account.addresses.get(app, ()),
        has_slot=app in account.slots,
        open=open_ones,
        endings=endings,
        current=current,
        tag_deleted=bool(current and is_preview and not ecr.digest_of(repository=repository, tag=tag)),
        since=account.since,
    )
    if current and not current.halted and current.task not in facts.tasks:
        again = ledger.open_deployments(table=table, app=app)
        restarting = any(each.restart and not each.outcome for each in again)
        task = None if restarting else ecs.describe_task(cluster=settings().cluster, task=current.task)
        facts = dataclasses.replace(facts, restarting=restarting, task=task)
    if sweep.newest_unheard(facts):
        facts = dataclasses.replace(facts, deployments=ledger.deployments(table=table, app=app))
    return facts


def _ending(deployment: Deployment) -> Ending | None:
    """How the execution of a deployment ended that has not been told; None while it goes on."""
    if deployment.told_at:
        return None
    # What could not be claimed has no execution.
    return step_functions.ending(deployment.execution) if deployment.execution else Ending("GONE")
