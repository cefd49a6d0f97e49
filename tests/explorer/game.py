"""One simulated account with Portcall, the acts on it, and the resulting state."""

import datetime as real_datetime
import os
import pkgutil
import sys
import time as real_time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import deployer
from deployer import observe
from deployer import settings as deployer_settings
from deployer.actions import probe, sweep_facts
from deployer.aws import client as aws_client
from deployer.aws import ledger
from deployer.domain import limits
from deployer.domain.deployment import Current
from deployer.domain.sweep import UNCLAIMED_SECONDS
from deployer.events import operate, reconcile

from tests.conftest import LambdaContext
from tests.explorer.aws import ANSWERING, CRASHES, FUNCTIONS, GOOD, NO_APP, SILENT, Client, Cloud, Task
from tests.explorer.clock import Clock, Died, Process
from tests.explorer.machine import Machine
from tests.promises import DIGEST, Asked, Mailed, Pushed, Ran, World

BEGINS = 1_800_000_000.0
# Seconds between two sweeps, and how many run after all deployments have ended.
SWEEP_EVERY, SWEEPS = 300.0, 3
DAY = 24 * 60 * 60
# How often a request without an answer is sent again.
MAX_REQUESTS = 3
REPOSITORY, OTHER_REPOSITORY = "flask-app", "other-app"
WATCHED, NOT_WATCHED = f"{REPOSITORY},*", f"{OTHER_REPOSITORY},"
# The parameters that acts may change.
READERS = ("settings", "watch_settings")
PARAMETERS = {"REPOSITORY_PATTERNS": WATCHED, "MAX_PREVIEWS": "3", "MAX_APPS": "100"}
BAD = (SILENT, CRASHES)


@dataclass
class Made:
    """A push: when (UNIX seconds), how its image behaves, and whether its tag was watched."""

    push: Pushed
    image: str
    at: float
    watched: bool = True


@dataclass(frozen=True)
class Setting:
    """The install's parameters, and whether AWS is `stale`. `tag` is the tag of the app's pushes."""

    by_tag: bool = False
    stable_url: bool = False
    stale: bool = False

    @property
    def tag(self) -> str:
        return "pr-7" if self.by_tag else "latest"

    @property
    def app(self) -> str:
        return f"{REPOSITORY}:{self.tag}" if self.by_tag else REPOSITORY

    @property
    def name(self) -> str:
        url = "stable URL" if self.stable_url else "no stable URL"
        return f"{'tag' if self.by_tag else 'repository'}, {url}{', stale' if self.stale else ''}"

    def environment(self) -> dict[str, str]:
        return PARAMETERS | {
            "ENVIRONMENTS": "tag" if self.by_tag else "repository",
            "STABLE_URL": "on" if self.stable_url else "off",
        }


@dataclass
class Game:
    """An account, and the acts on it. `main` is the number of the call from which it may be disturbed."""

    setting: Setting
    made: list[Made] = field(default_factory=list)
    # Tasks that were ended from outside, and executions that were aborted.
    spoiled: set[str] = field(default_factory=set)
    aborted: set[str] = field(default_factory=set)
    # Tasks that were stopped by hand.
    stopped_by_hand: list[Task] = field(default_factory=list)
    swept: object = None
    by_tag: bool = False
    watched: bool = True
    # The numbers of apps and previews that the parameters allowed at any time.
    most: dict[str, int] = field(default_factory=dict)
    fewest: dict[str, int] = field(default_factory=dict)
    # When the watched repositories or tags last changed (UNIX seconds), and how often.
    changed_at: float = 0.0
    changes: int = 0
    asked: list[Asked] = field(default_factory=list)
    requests: int = 0

    def __post_init__(self) -> None:
        self.clock = Clock(BEGINS)
        self.cloud = Cloud(self.clock, stale=self.setting.stale)
        self.by_tag = self.setting.by_tag
        self.most = {name: int(PARAMETERS[name]) for name in ("MAX_PREVIEWS", "MAX_APPS")}
        self.fewest = {**self.most}
        self.machine = Machine(self.cloud)
        self.stable_url = self.setting.stable_url

    # The acts

    def push(
        self, image: str = GOOD, *, repository: str = REPOSITORY, tag: str = "", with_event: bool = True
    ) -> None:
        """Push a new image; its event comes a moment later, unless it is lost."""
        digest = f"sha256:{len(self.made) + 1:064x}"
        self.cloud.push(repository, tag or self.setting.tag, digest, image)
        self._note_push(repository, tag or self.setting.tag, digest, image, with_event=with_event)

    def _note_push(
        self, repository: str, tag: str, digest: str, image: str, *, with_event: bool = True
    ) -> None:
        number = len(self.made) + 1
        watched = self.watched or repository != REPOSITORY
        with_event = with_event and watched
        app = f"{repository}:{tag}" if self.by_tag else repository
        push = Pushed(
            f"push-{number}" if with_event else "", app, tag, digest, image in ANSWERING, is_app=image != NO_APP
        )
        self.made.append(Made(push, image, self.clock.now, watched))
        if with_event:
            self.deliver(number)

    def deliver(self, number: int) -> None:
        """The event of a push arrives, at least once."""
        push = self.made[number - 1].push
        at = real_datetime.datetime.fromtimestamp(self.made[number - 1].at, real_datetime.UTC)
        detail = {
            "action-type": "PUSH",
            "result": "SUCCESS",
            "repository-name": push.app.partition(":")[0],
            "image-tag": push.tag,
            "image-digest": push.digest,
        }
        event = {
            "id": push.deployment,
            "time": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "detail": detail,
        }
        copies = sum(name.startswith(push.deployment) for name in self.machine.executions)
        self.machine.start(f"{push.deployment}{'-again' * copies}", event)

    def current(self) -> Current | None:
        """The app's current deployment, under either of its names."""
        names = [f"{REPOSITORY}:{self.setting.tag}", REPOSITORY]
        names = names if self.by_tag else names[::-1]
        return next((found for name in names if (found := self.cloud.current(name))), None)

    def _current_task(self) -> Task | None:
        current = self.current()
        return self.cloud.tasks[current.task] if current else None

    def push_again(self, *, tag: str) -> None:
        """The image that was pushed last gets another tag."""
        last = self.made[-1]
        repository = last.push.app.partition(":")[0]
        self.cloud.tags[repository, tag] = last.push.digest
        self._note_push(repository, tag, last.push.digest, last.image)

    def change_stable_url(self) -> None:
        """The parameter StableUrl is changed."""
        self.stable_url = not self.stable_url
        set_parameters({"STABLE_URL": "on" if self.stable_url else "off"})

    def change_environments(self) -> None:
        """The parameter Environments is changed."""
        self.by_tag, self.changed_at = not self.by_tag, self.clock.now
        self.changes += 1
        set_parameters({"ENVIRONMENTS": "tag" if self.by_tag else "repository"})

    def change_watched(self) -> None:
        """RepositoryName and RepositoryPattern are changed: the app's repository is not watched, or is again."""
        self.watched, self.changed_at = not self.watched, self.clock.now
        self.changes += 1
        set_parameters({"REPOSITORY_PATTERNS": WATCHED if self.watched else NOT_WATCHED})
        if self.watched and REPOSITORY in self.cloud.table.items["sweep", "first"]["watching"]:
            # No sweep has seen that it was not watched. To Portcall, the events of the pushes since were lost.
            for each in self.made:
                each.watched = True

    def allow(self, parameter: str, most: int) -> None:
        """MaxApps or MaxPreviews is changed."""
        self.most[parameter] = max(self.most[parameter], most)
        self.fewest[parameter] = min(self.fewest[parameter], most)
        set_parameters({parameter: str(most)})

    def crash(self) -> None:
        """The current task ends by itself."""
        task = self._current_task()
        if task and task.alive:
            self.spoiled.add(task.arn)
            self.cloud.end_task(task, "EssentialContainerExited", "Essential container in task exited", 1)

    def crash_newest(self) -> None:
        """The task that was started last ends by itself."""
        alive = [task for task in self.cloud.tasks.values() if task.alive]
        if alive:
            self.spoiled.add(alive[-1].arn)
            self.cloud.end_task(alive[-1], "EssentialContainerExited", "Essential container in task exited", 1)

    def stop_by_hand(self) -> None:
        task = self._current_task()
        if task and task.alive:
            self.spoiled.add(task.arn)
            self.stopped_by_hand.append(task)
            self.cloud.end_task(task, "UserInitiated", "Stopped by a person", 143)

    def delete_tag(self) -> None:
        lost = {*self.cloud.lost}
        if not self.watched:
            self.cloud.lost.add("EndPreview")
        self.cloud.delete_tag(REPOSITORY, self.setting.tag)
        self.cloud.lost = lost

    def ask(self, action: str) -> None:
        """An operator's request; it is sent again if no answer comes, as the command line does."""
        self.requests += 1
        event = {
            "action": action,
            "app": self.setting.app,
            "by": "ann",
            "reason": "why not",
            # Unlike a task's, after which a restart is named.
            "id": f"a{self.requests:031x}",
            "confirm": self.setting.app,
        }

        def run(attempt: int = 0) -> None:
            process = self.clock.at_work
            assert process
            try:
                self.cloud.call("start Operate", lambda: None)
                answer = operate.handler(event, LambdaContext())
            except Died:
                answer = {"status": "refused", "kind": "not known"}
            except Exception as error:
                self.cloud.bugs.append(f"Operate: {error!r}")
                answer = {"status": "refused"}
            if answer.get("kind") == "not known" and attempt < MAX_REQUESTS:
                self.clock.spawn("Operate", lambda: run(attempt + 1), after=1.0)
            else:
                # After a change of Environments, the app may have another name.
                self.asked.append(Asked(answer.get("app", self.setting.app), action, answer["status"]))

        self.clock.spawn("Operate", run)

    def rollback(self) -> None:
        self.ask("rollback")

    def resume(self) -> None:
        self.ask("resume")

    def restart(self) -> None:
        self.ask("restart")

    def stop(self) -> None:
        self.ask("stop")

    def start(self) -> None:
        self.ask("start")

    def sweep(self) -> Process:
        def run() -> None:
            process = self.clock.at_work
            assert process
            try:
                self.cloud.call("start Reconcile", lambda: None)
                self.swept = reconcile.handler({"id": "sweep"}, LambdaContext())
            except Died:
                self.swept = "it died"
            except Exception as error:
                self.swept = repr(error)

        return self.clock.spawn("Reconcile", run)

    def abort(self, process: Process) -> None:
        """Somebody aborts the execution that runs in a process."""
        execution = self.machine.running(process)
        if execution and execution.status == "RUNNING":
            self.aborted.add(execution.name)
            self.machine.abort(execution)

    def time_passes(self, seconds: float) -> None:
        """Let this much time pass; what has begun continues."""
        self.clock.run()
        self.clock.now += seconds

    # The result

    def settle(self) -> None:
        """Wait until all deployments have ended and run two sweeps; a third one checks that nothing is left to
        do.

        If a sweep deploys something, wait again. If AdmitPush died before it recorded a push, the sweep forgets
        that push an hour later.
        """
        self._sweep_until_all_is_done()
        if any(ledger.unclaimed(app=app) for app in self._apps()):
            self.time_passes(UNCLAIMED_SECONDS)
            self._sweep_until_all_is_done()

    def _sweep_until_all_is_done(self) -> None:
        begun, sweeps = -1, 0
        while sweeps < SWEEPS and self.clock.now < BEGINS + 10 * DAY:
            sweeps = sweeps + 1 if len(self.machine.executions) == begun else 1
            begun = len(self.machine.executions)
            self.time_passes(SWEEP_EVERY)
            self.sweep()
            self.clock.run()

    def _is_to_have_stable_url(self, current: Current) -> bool:
        """Whether StableUrl was on before this was switched over, and still is."""
        return self.stable_url and all(self.cloud.switched_over_with[current.deployment])

    def _app_of(self, made: Made) -> str:
        """The app of a push, according to the ledger."""
        repository = made.push.app.partition(":")[0]
        names = {f"app#{repository}", f"app#{repository}:{made.push.tag}"}
        known = [(pk, sk, item) for (pk, sk), item in self.cloud.table.items.items() if pk in names]
        for _, sk, item in known:
            if made.push.deployment and sk.startswith("push#") and sk.endswith(f"#{made.push.deployment}"):
                return str(item["app"])
        for pk, sk, item in known:
            if sk.startswith("deployment#") and (item["tag"], item["digest"]) == (
                made.push.tag,
                made.push.digest,
            ):
                return str(pk).removeprefix("app#")
        return made.push.app

    def _pushed(self) -> Iterator[Pushed]:
        """The pushes that count, with the outcomes of their images."""
        spoiled = {self.cloud.tasks[arn].digest for arn in self.spoiled}
        refused = {
            item["digest"] for item in self.cloud.table.items.values() if item.get("error") in limits.REFUSALS
        }
        for each in self.made:
            if each.watched:
                # It is unknown whether the present parameters would have let an earlier push's event through.
                lost = not each.push.deployment and each.at < self.changed_at
                good = each.push.good and each.push.digest not in spoiled | refused and not lost
                yield replace(each.push, app=self._app_of(each), good=good, second=int(each.at))

    def _apps(self) -> set[str]:
        keys = self.cloud.table.items
        return {pk.removeprefix("app#") for pk, sk in keys if sk in ("order", "current")}

    def world(self) -> World:
        cloud = self.cloud
        apps = self._apps() | {each.push.app for each in self.made}
        current = {app: found for app in apps if (found := cloud.current(app))}
        orders = {app: cloud.table.items.get((f"app#{app}", "order"), {}) for app in apps}
        under_way = [item for (_, sk), item in cloud.table.items.items() if sk == "under way"]
        slots = cloud.table.items.get(("previews", "slots"), {})
        pushes = list(self._pushed())
        made_at = [(self._app_of(each), each.at) for each in self.made]
        return World(
            pushes=pushes,
            mails=[
                Mailed(
                    each.document["app"],
                    each.document["deployment"],
                    each.document["outcome"],
                    each.document.get("task", ""),
                    each.serving,
                    sum(app == each.document["app"] and at <= each.at for app, at in made_at),
                    each.document.get("reason", ""),
                    (each.document["app"].partition(":")[0], each.document.get("tag", "")) in each.tags,
                    "stopped" in each.document,
                    frozenset(DIGEST.findall(each.text)),
                )
                for each in sorted(cloud.mails, key=lambda mail: mail.at)
            ],
            tasks=[
                Ran(
                    each.arn,
                    each.app,
                    each.started_by,
                    each.digest,
                    each.alive,
                    each.answered,
                    each.stop_code == "EssentialContainerExited",
                )
                for each in cloud.tasks.values()
            ],
            current=current,
            deployments={app: ledger.deployments(app=app)[::-1] for app in apps},
            tags={
                (app, tag): digest
                for (name, tag), digest in cloud.tags.items()
                for app in (name, f"{name}:{tag}")
            },
            slots={*slots.get("apps", ()), *slots.get("lasting", ())},
            stable_urls={
                api.id: (api.app, api.target(self.clock.now)) for api in cloud.apis if not api.deleted
            },
            with_stable_url={app for app, found in current.items() if self._is_to_have_stable_url(found)},
            open={app: set(order.get("open", ())) for app, order in orders.items()}
            | {"under way": {name for item in under_way for name in item.get("deployments", ())}},
            groups={
                tag["Value"]
                for group in cloud.groups.values()
                for tag in group["Tags"]
                if tag["Key"] == "portcall:deployment"
            },
            cut_off=cloud.cut_off,
            left_to_do=self.swept,
            bugs=cloud.bugs,
            stopped_by_hand={each.arn: each.app for each in self.stopped_by_hand},
            previews={app for app in apps if deployer_settings.settings().is_preview(app)},
            aborted=self.aborted,
            not_watched={app for app in apps if not sweep_facts.is_watched(app)},
            unwatched_pushes=[each.push for each in self.made if not each.watched],
            changes=self.changes,
            most={True: self.most["MAX_PREVIEWS"], False: self.most["MAX_APPS"]},
            fewest={True: self.fewest["MAX_PREVIEWS"], False: self.fewest["MAX_APPS"]},
            asked=self.asked,
        )


_playing: list[Game] = []


@cache
def _client(service: str, config: object = None) -> Client:
    return Client(service, lambda: _playing[-1].cloud)


def _now(zone: Any = None) -> real_datetime.datetime:
    return real_datetime.datetime.fromtimestamp(_playing[-1].clock.now, zone)


def _sleep(seconds: float) -> None:
    clock = _playing[-1].clock
    assert clock.at_work
    if clock.at_work.died:
        raise Died
    clock.pass_time(seconds)


CLOCK = SimpleNamespace(
    time=lambda: _playing[-1].clock.now, monotonic=lambda: _playing[-1].clock.now, sleep=_sleep
)


class Datetime(real_datetime.datetime):
    """A datetime that uses the simulated clock."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return _now(tz)


@contextmanager
def stage() -> Iterator[None]:
    """In this block, the handlers use the simulated clock and cloud, and log nothing."""
    for each in pkgutil.walk_packages(deployer.__path__, "deployer."):
        import_module(each.name)
    with _replaced(_replacements()):
        aws_client._client.cache_clear()
        level = observe.logger.level
        observe.logger.setLevel("CRITICAL")
        yield
        observe.logger.setLevel(level)
    aws_client._client.cache_clear()


def _replacements() -> Iterator[tuple[Any, str, Any]]:
    yield aws_client, "_session", lambda: SimpleNamespace(client=_client)
    yield (
        probe,
        "wait_until_answers",
        lambda *urls, **named: _playing[-1].cloud.wait_until_answers(*urls, **named),
    )
    yield from _parameters()
    yield observe, "_record", lambda name, unit, value: _playing[-1].cloud.metrics.append(name)
    for name, module in list(sys.modules.items()):
        if name.startswith("deployer."):
            if vars(module).get("time") is real_time:
                yield module, "time", CLOCK
            if vars(module).get("datetime") is real_datetime.datetime:
                yield module, "datetime", Datetime


def _parameters() -> Iterator[tuple[Any, str, Any]]:
    """A function keeps the parameters with which it started, as in Lambda."""
    originals = {name: getattr(deployer_settings, name) for name in READERS}
    for name, original in originals.items():

        def read(name: str = name, original: Any = original) -> Any:
            at_work = _playing[-1].clock.at_work if _playing else None
            return at_work.parameters[name] if at_work and at_work.parameters else original()

        for key, module in list(sys.modules.items()):
            if (
                key.startswith("deployer.")
                and vars(module).get(name) is original
                and module is not deployer_settings
            ):
                yield module, name, read


@contextmanager
def _replaced(what: Iterator[tuple[Any, str, Any]]) -> Iterator[None]:
    before = []
    try:
        for module, name, new in list(what):
            before.append((module, name, getattr(module, name)))
            setattr(module, name, new)
        yield
    finally:
        for module, name, old in before:
            setattr(module, name, old)


def set_parameters(changes: Mapping[str, str]) -> None:
    """Functions that start from now on get these parameters."""
    os.environ.update(changes)
    for name in READERS:
        getattr(deployer_settings, name).cache_clear()
    if _playing:
        _playing[-1].cloud.parameters = {name: getattr(deployer_settings, name)() for name in READERS}


@contextmanager
def game(setting: Setting) -> Iterator[Game]:
    """A new game, with the simulated clock and cloud in place."""
    before = {name: os.environ[name] for name in setting.environment()}
    _playing.append(Game(setting))
    set_parameters(setting.environment())
    try:
        yield _playing[-1]
    finally:
        _playing.pop()
        set_parameters(before)


def play(setting: Setting, *acts: Callable[[Game], object]) -> Game:
    """Play acts one after the other, without disturbances, and settle."""
    with game(setting) as found:
        for act in acts:
            act(found)
            found.clock.run()
        found.settle()
        return found


__all__ = ["CRASHES", "FUNCTIONS", "GOOD", "SILENT", "Game", "Setting", "game", "play", "stage"]
