"""Gathers the facts for the sweep: what is in the account, once, and then what is known of each app."""

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from deployer.actions import restarts
from deployer.aws import apigateway, ecr, ecs, ledger, step_functions, task_states
from deployer.domain import app_tags
from deployer.domain.app_facts import Facts, Image
from deployer.domain.deployment import Deployment, Ending
from deployer.domain.errors import DeployError
from deployer.domain.limits import LASTING, PREVIEWS
from deployer.domain.task import Task, TaskState
from deployer.observe import logger
from deployer.settings import settings, watch_settings

# An execution that an operator asked for begins within this time.
MAX_START_DELAY_SECONDS = 120


@dataclass
class Account:
    """What is listed once for all apps, and by app.

    `read` are the watched repositories whose images could be listed, and `listed_at` is when (UNIX seconds).
    `missed` counts the pushes that were deployed because their events were lost. `started` has the `startedBy`
    of every running task; it and `tasks` are None if ECS could not list them. `listed` are the apps of the
    ledger. `incomplete` says that something could not be listed. `ports` are the ports of the current
    deployments of the apps handled so far, and `to_come` says that one of these apps has a deployment in
    progress.
    """

    since: int
    previous: int
    listed_at: int
    read: set[str] = field(default_factory=set)
    missed: int = 0
    listed: set[str] = field(default_factory=set)
    tasks: dict[str, dict[str, str]] | None = None
    images: dict[str, list[Image]] = field(default_factory=dict)
    # API -> its target; None if they could not be listed.
    stable_urls: dict[str, dict[str, str]] | None = None
    # The apps that have a slot: as a preview (True), and as any other app (False).
    slots: dict[bool, set[str]] = field(default_factory=lambda: {True: set(), False: set()})
    started: set[str] | None = None
    incomplete: bool = False
    ports: set[int] = field(default_factory=set)
    to_come: bool = False

    def apps(self) -> list[str]:
        """Every app of which anything is known, in the ledger or in AWS."""
        return sorted(
            {*self.listed, *self.images, *(self.tasks or ()), *(self.stable_urls or ()), *self.with_slot}
        )

    @cached_property
    def with_slot(self) -> set[str]:
        """The apps that have a slot."""
        return self.slots[True] | self.slots[False]

    @cached_property
    def announced(self) -> set[str]:
        """The repositories for which ECR has sent a push event."""
        return {app.partition(":")[0] for app in self.listed}

    @contextmanager
    def part(self, what: str) -> Iterator[None]:
        """Continue if something cannot be listed: the sweep handles the rest."""
        try:
            yield
        except DeployError as error:
            self.incomplete = True
            logger.error("Something could not be listed", extra={"what": what, "reason": str(error)})


def watching() -> str:
    """The parameters that decide what is watched. A push that they would have filtered out is not lost."""
    patterns = f"{','.join(watch_settings().repositories)} {','.join(watch_settings().tags)}"
    return f"{patterns} {'tag' if settings().by_tag else 'repository'}"


def of_account(begun: ledger.Sweep) -> Account:
    """List everything."""
    now = int(time.time())
    account = Account(begun.since, begun.previous, now)
    account.listed = ledger.apps()
    taken = ledger.taken_slots()
    account.slots = {True: taken.get(PREVIEWS, set()), False: taken.get(LASTING, set())}
    # Before the deployments are read from the ledger: see Facts.
    with account.part("tasks"):
        _list_tasks(account)
    with account.part("repositories"):
        for repository in ecr.repositories():
            if watch_settings().watches(repository):
                with account.part(repository):
                    _list_images(account, repository)
    with account.part("stable URLs"):
        _list_stable_urls(account)
    return account


def _list_tasks(account: Account) -> None:
    running = ecs.running_tasks(cluster=settings().cluster)
    account.started = {started_by for _, started_by, _ in running}
    account.tasks = {}
    for task, started_by, tags in running:
        # A task that somebody runs by hand from one of our revisions may have its tags.
        app = app_tags.app(tags)
        if app and tags.get("portcall:deployment") == started_by:
            account.tasks.setdefault(app, {})[task.arn] = started_by


def _list_stable_urls(account: Account) -> None:
    found = apigateway.stable_urls_of(stack=settings().stack)
    account.stable_urls = {}
    for each in found:
        account.stable_urls.setdefault(each.app, {})[each.stable_url.api] = each.target


def _list_images(account: Account, repository: str) -> None:
    for image in ecr.tagged_images(repository=repository):
        for tag in image.tags:
            if image.may_be_app and watch_settings().watches_tag(tag):
                account.images.setdefault(settings().app(repository, tag), []).append(
                    Image(image.pushed_at, image.digest, tag)
                )
    account.read.add(repository)


def of_app(app: str, account: Account) -> Facts:
    """The facts about one app, read in the order that Facts requires. Rare ones are read only if needed."""
    repository, _, tag = app.partition(":")
    is_preview = settings().is_preview(app)
    can_look, watched = watch_settings().watches(repository), is_watched(app)
    pushes = ledger.app_pushes(app=app)
    endings = {each.deployment: ending for each in pushes.open if (ending := _ending(each))}
    current = ledger.current(app=app)
    facts = Facts(
        app=app,
        now=time.time(),
        is_preview=is_preview,
        listed=app in account.listed,
        tasks=None if account.tasks is None else account.tasks.get(app, {}),
        images=account.images.get(app, ()),
        stable_urls=None if account.stable_urls is None else account.stable_urls.get(app, {}),
        has_slot=app in account.with_slot,
        slot_of_other_kind=app in account.slots[not is_preview],
        noted=pushes.noted,
        open=pushes.open,
        unclaimed=pushes.unclaimed,
        endings=endings,
        unmailed=pushes.unmailed,
        current=current,
        tag_deleted=bool(
            current and is_preview and can_look and not ecr.digest_of(repository=repository, tag=tag)
        ),
        watched=watched,
        can_restart=can_look,
        replaced_by="" if watched or not current else settings().app(repository, current.tag),
        since=account.since,
        listed_at=account.listed_at,
        previous=account.previous,
        is_announced=repository == watch_settings().repositories[0] or repository in account.announced,
        tags=ledger.tags(app=app) if repository in account.read and watched else None,
    )
    if facts.replaced_by not in ("", app):
        facts = dataclasses.replace(facts, successor=ledger.current(app=facts.replaced_by))
    if current and not current.gave_up_reason and facts.tasks is not None and current.task not in facts.tasks:
        again = ledger.open_deployments(app=app)
        restarting = any(each.restart and not each.outcome for each in again)
        task = None if restarting else _stopped_task(current.task)
        restart = restarts.latest_restart(app, current) if current.last_stop else None
        # It may have begun meanwhile.
        restarting = restarting or bool(restart and not restart.outcome)
        facts = dataclasses.replace(facts, restarting=restarting, restart=restart, task=task)
    account.ports |= current.ports if current else set()
    account.to_come |= facts.to_come
    return facts


def _stopped_task(arn: str) -> Task | None:
    """A task as ECS describes it or, since ECS forgets stopped tasks within the hour, as its last event did."""
    found = ecs.describe_task(cluster=settings().cluster, task=arn)
    if found is None:
        last = task_states.last_known(task=arn)
        return last if last and last.state is TaskState.STOPPED else None
    return found


def is_watched(app: str) -> bool:
    """Whether the current parameters watch pushes of this app."""
    repository, _, tag = app.partition(":")
    named_so = bool(tag) == settings().by_tag
    return named_so and watch_settings().watches(repository) and (not tag or watch_settings().watches_tag(tag))


def _ending(deployment: Deployment) -> Ending | None:
    """How the execution of an unmailed deployment ended, None while it runs."""
    if deployment.notified_at:
        return None
    # A push that could not be claimed has no execution.
    ending = step_functions.ending(deployment.execution) if deployment.execution else Ending("GONE")
    is_about_to_begin = deployment.asked and deployment.began_at > time.time() - MAX_START_DELAY_SECONDS
    return None if ending and ending.status == "GONE" and is_about_to_begin else ending
