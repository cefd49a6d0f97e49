"""One play: an account with Portcall in it, what is done to it, and what it came to."""

import datetime as real_datetime
import os
import pkgutil
import sys
import time as real_time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import deployer
from deployer import observe
from deployer import settings as deployer_settings
from deployer.actions import probe
from deployer.aws import client as aws_client
from deployer.aws import ledger
from deployer.domain.deployment import Current
from deployer.events import reconcile

from tests.conftest import LambdaContext
from tests.explorer.aws import CRASHES, FUNCTIONS, GOOD, SILENT, Client, Cloud, Task
from tests.explorer.clock import Clock, Died, Process
from tests.explorer.machine import Machine
from tests.promises import Mailed, Pushed, Ran, World

BEGINS = 1_800_000_000.0
# Seconds between two sweeps, and how many run once nothing is deployed any more.
SWEEP_EVERY, SWEEPS = 300.0, 3
DAY = 24 * 60 * 60
REPOSITORY = "flask-app"
BAD = (SILENT, CRASHES)


@dataclass
class Made:
    """A push that was made, when (UNIX seconds), and how its image behaves."""

    push: Pushed
    image: str
    at: float


@dataclass(frozen=True)
class Setting:
    """What the installation is told. `tag` is what pushes of the app go to; `preview` says that it is one."""

    by_tag: bool = False
    stable_url: bool = False

    @property
    def tag(self) -> str:
        return "pr-7" if self.by_tag else "latest"

    @property
    def app(self) -> str:
        return f"{REPOSITORY}:{self.tag}" if self.by_tag else REPOSITORY

    @property
    def name(self) -> str:
        return (
            f"{'tag' if self.by_tag else 'repository'}, {'stable URL' if self.stable_url else 'no stable URL'}"
        )

    def environment(self) -> dict[str, str]:
        return {
            "ENVIRONMENTS": "tag" if self.by_tag else "repository",
            "STABLE_URL": "on" if self.stable_url else "off",
        }


@dataclass
class Game:
    """An account, and what is done to it. `main` counts the calls from which on it is disturbed."""

    setting: Setting
    made: list[Made] = field(default_factory=list)
    # Tasks that somebody ended from outside, and executions that somebody aborted.
    spoiled: set[str] = field(default_factory=set)
    aborted: set[str] = field(default_factory=set)
    stopped_by_hand: set[str] = field(default_factory=set)
    swept: object = None

    def __post_init__(self) -> None:
        self.clock = Clock(BEGINS)
        self.cloud = Cloud(self.clock)
        self.machine = Machine(self.cloud)
        self.stable_url, self.stable_url_since = self.setting.stable_url, BEGINS

    # What may happen

    def push(self, image: str = GOOD, *, tag: str = "", heard: bool = True) -> None:
        """Push a new image; its event comes a moment later, unless it is lost."""
        number = len(self.made) + 1
        tag, digest = tag or self.setting.tag, f"sha256:{number:064x}"
        app = f"{REPOSITORY}:{tag}" if self.setting.by_tag else REPOSITORY
        self.cloud.push(REPOSITORY, tag, digest, image)
        name = f"push-{number}" if heard else ""
        self.made.append(Made(Pushed(name, app, tag, digest, image == GOOD), image, self.clock.now))
        if heard:
            self.deliver(number)

    def deliver(self, number: int) -> None:
        """The event of a push arrives, at least once."""
        push = self.made[number - 1].push
        at = real_datetime.datetime.fromtimestamp(self.made[number - 1].at, real_datetime.UTC)
        detail = {
            "action-type": "PUSH",
            "result": "SUCCESS",
            "repository-name": REPOSITORY,
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
        return self.cloud.current(self.setting.app)

    def _current_task(self) -> Task | None:
        current = self.current()
        return self.cloud.tasks[current.task] if current else None

    def push_again(self, *, tag: str) -> None:
        """The image that was pushed last gets another tag."""
        last = self.made[-1]
        number = len(self.made) + 1
        app = f"{REPOSITORY}:{tag}" if self.setting.by_tag else REPOSITORY
        self.cloud.tags[REPOSITORY, tag] = last.push.digest
        push = Pushed(f"push-{number}", app, tag, last.push.digest, last.push.good)
        self.made.append(Made(push, last.image, self.clock.now))
        self.deliver(number)

    def change_stable_url(self) -> None:
        """The parameter StableUrl is changed."""
        self.stable_url, self.stable_url_since = not self.stable_url, self.clock.now
        set_parameters({"STABLE_URL": "on" if self.stable_url else "off"})

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
            self.stopped_by_hand.add(task.app)
            self.cloud.end_task(task, "UserInitiated", "Stopped by a person", 143)

    def delete_tag(self) -> None:
        self.cloud.delete_tag(REPOSITORY, self.setting.tag)

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
        """Somebody ends the execution that runs in a process."""
        execution = self.machine.running(process)
        if execution and execution.status == "RUNNING":
            self.aborted.add(execution.name)
            self.machine.abort(execution)

    def time_passes(self, seconds: float) -> None:
        """Nothing happens for so long, but what has begun comes to its end."""
        self.clock.run()
        self.clock.now += seconds

    # What it came to

    def settle(self) -> None:
        """The dust settles, and two sweeps run; a third one looks whether anything is left to do.

        A sweep that deploys something stirs up dust again.
        """
        begun, sweeps = -1, 0
        while sweeps < SWEEPS and self.clock.now < BEGINS + 10 * DAY:
            sweeps = sweeps + 1 if len(self.machine.executions) == begun else 1
            begun = len(self.machine.executions)
            self.time_passes(SWEEP_EVERY)
            self.sweep()
            self.clock.run()

    def _is_to_have_stable_url(self, current: Current) -> bool:
        """Whether it was switched on before this was deployed."""
        since = real_datetime.datetime.fromisoformat(current.since).timestamp()
        return self.stable_url and since > self.stable_url_since + 1

    def world(self) -> World:
        cloud = self.cloud
        apps = {each.push.app for each in self.made}
        current = {app: found for app in apps if (found := cloud.current(app))}
        spoiled = {cloud.tasks[arn].digest for arn in self.spoiled}
        orders = {app: cloud.table.items.get((f"app#{app}", "order"), {}) for app in apps}
        under_way = cloud.table.items.get((f"app#{REPOSITORY}", "under way"), {})
        slots = cloud.table.items.get(("previews", "slots"), {})
        return World(
            pushes=[
                Pushed(
                    each.push.deployment,
                    each.push.app,
                    each.push.tag,
                    each.push.digest,
                    each.push.good and each.push.digest not in spoiled,
                    int(each.at),
                )
                for each in self.made
            ],
            mails=[
                Mailed(
                    each.document["app"],
                    each.document["deployment"],
                    each.document["outcome"],
                    each.document.get("task", ""),
                    each.serving,
                    sum(made.push.app == each.document["app"] and made.at <= each.at for made in self.made),
                    each.document.get("reason", ""),
                    (REPOSITORY, each.document.get("tag", "")) in each.tags,
                    "stopped" in each.document,
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
            deployments={app: ledger.deployments(table="ledger", app=app)[::-1] for app in apps},
            tags={
                (f"{name}:{tag}" if self.setting.by_tag else name, tag): digest
                for (name, tag), digest in cloud.tags.items()
            },
            slots={*slots.get("apps", ()), *slots.get("lasting", ())},
            stable_urls={
                api.id: (api.description.partition(" at ")[0], api.target(self.clock.now))
                for api in cloud.apis
                if not api.deleted
            },
            with_stable_url={app for app, found in current.items() if self._is_to_have_stable_url(found)},
            open={app: set(order.get("open", ())) for app, order in orders.items()}
            | {"under way": set(under_way.get("deployments", ()))},
            groups={
                tag["Value"]
                for group in cloud.groups.values()
                for tag in group["Tags"]
                if tag["Key"] == "portcall:deployment"
            },
            cut_off=cloud.cut_off,
            left_to_do=self.swept,
            bugs=cloud.bugs,
            stopped_by_hand=self.stopped_by_hand,
            previews=apps if self.setting.by_tag else set(),
            aborted=self.aborted,
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
    """By the clock of the game."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return _now(tz)


@contextmanager
def stage() -> Iterator[None]:
    """Meanwhile the handlers see the game's clock and its cloud, and log nothing."""
    for each in pkgutil.walk_packages(deployer.__path__, "deployer."):
        import_module(each.name)
    with _replaced(_replacements()):
        aws_client.client.cache_clear()
        level = observe.logger.level
        observe.logger.setLevel("CRITICAL")
        yield
        observe.logger.setLevel(level)
    aws_client.client.cache_clear()


def _replacements() -> Iterator[tuple[Any, str, Any]]:
    yield aws_client, "_session", lambda: SimpleNamespace(create_client=_client)
    yield (
        probe,
        "wait_until_answers",
        lambda *urls, **named: _playing[-1].cloud.wait_until_answers(*urls, **named),
    )
    yield observe, "_record", lambda name, unit, value: _playing[-1].cloud.metrics.append(name)
    for name, module in list(sys.modules.items()):
        if name.startswith("deployer."):
            if vars(module).get("time") is real_time:
                yield module, "time", CLOCK
            if vars(module).get("datetime") is real_datetime.datetime:
                yield module, "datetime", Datetime


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
    """From now on each function reads these."""
    os.environ.update(changes)
    deployer_settings.settings.cache_clear()
    deployer_settings.watch_settings.cache_clear()


@contextmanager
def game(setting: Setting) -> Iterator[Game]:
    """A game of its own, on the stage."""
    before = {name: os.environ[name] for name in setting.environment()}
    set_parameters(setting.environment())
    _playing.append(Game(setting))
    try:
        yield _playing[-1]
    finally:
        _playing.pop()
        set_parameters(before)


def play(setting: Setting, *acts: Callable[[Game], object]) -> Game:
    """Play acts one after the other, without any disturbance, and let the dust settle."""
    with game(setting) as found:
        for act in acts:
            act(found)
            found.clock.run()
        found.settle()
        return found


__all__ = ["CRASHES", "FUNCTIONS", "GOOD", "SILENT", "Game", "Setting", "game", "play", "stage"]
