"""Hours of pushes, crashes and previews, one after the other in one account, and what is there after each.

Pushes come for 45 minutes of each hour, a sweep every five. The last quarter is quiet, so that what is
there at the end of an hour is there for a reason.
"""

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from deployer.aws.items import wire

from tests.explorer.aws import CRASHES, GOOD, SILENT, TWO_PORTS, Task
from tests.explorer.game import BEGINS, DAY, REPOSITORY, SWEEP_EVERY, SWEEPS, Game, Setting
from tests.promises import broken

HOUR = 3600.0
BUSY_SECONDS = 2700.0
REPOSITORIES = (REPOSITORY, "shop", "search", "mailer", "admin")
# Of each hour. One app crashes three times in a row, which is once too often.
PUSHES, TASK_CRASHES, CRASH_LOOPS, DELETIONS, FURTHER_TAGS, COPIES = 48, 6, 1, 5, 4, 4
# Of pushes: events that are lost, and executions that somebody ends. Of crashes: events that are lost.
LOST_PUSHES, ABORTS, LOST_CRASHES = 0.05, 0.03, 0.1
OPEN_PREVIEWS = 12
# A preview lives so long, and the ledger keeps what is over for so many days (seconds). DynamoDB deletes what has
# expired within a few days: here after two, the longest that its documentation speaks of.
PREVIEW_HOURS, RETENTION, TTL_TAKES = 1, 90 * DAY, 2 * DAY
# A tenth of what DynamoDB allows in one item.
LARGEST_ITEM_BYTES = 40_000
PARAMETERS = {"PREVIEW_HOURS": str(PREVIEW_HOURS), "MAX_PREVIEWS_PER_REPOSITORY": "50"}


@dataclass(frozen=True)
class SoakSetting(Setting):
    """Previews live shorter than they do by default, so that many of them end."""

    def environment(self) -> dict[str, str]:
        return super().environment() | PARAMETERS


@dataclass(frozen=True)
class Inventory:
    """What there is, and what there was since the beginning."""

    hour: int
    # Since the beginning: pushes, deployments that are not restarts, apps of which there was a push, calls of APIs,
    # mails.
    pushes: int
    deployments: int
    apps: int
    calls: int
    mails: int
    # Now: apps that run, or are down and given up, tasks that have not stopped, their addresses.
    running: int
    given_up: int
    tasks: int
    addresses: int
    executions: int
    stable_urls: int
    # Security groups, and those that no running task is in.
    groups: int
    unused_groups: int
    # Revisions that are registered: nothing but the deletion of the stack takes one away.
    revisions: int
    # Items of the ledger that stay, that expire, and that have expired; bytes of the largest.
    staying: int
    expiring: int
    expired: int
    largest: int
    # What modules of the functions hold on to from one call to the next.
    held: int


class Soak:
    """The traffic of a game; its dice decide on it."""

    def __init__(self, game: Game, seed: int) -> None:
        self.game, self.dice = game, random.Random(seed)
        self.pull_requests: list[tuple[str, int]] = []
        self.numbers = 0
        # More slots than are ever used: refusals are tested elsewhere.
        for name in ("MAX_PREVIEWS", "MAX_APPS"):
            game.allow(name, 200)
            game.fewest[name] = 200

    def hours(self, number: int, share: float = 1.0) -> Iterator[tuple[Inventory, list[str]]]:
        """Play hours with that share of the traffic; after each, what there is, and which promises are broken."""
        for hour in range(1, number + 1):
            self._begin(BEGINS + (hour - 1) * HOUR, share)
            self.game.clock.run()
            yield inventory(self.game, hour), broken(self.game.world())

    def _begin(self, begin: float, share: float) -> None:
        """Have everything come that is to come in the hour that begins then (UNIX seconds)."""
        clock = self.game.clock
        late = clock.now - begin
        for act, times in (
            (self._push, PUSHES),
            (self._crash, TASK_CRASHES),
            (self._crash_again_and_again, CRASH_LOOPS),
            (self._delete, DELETIONS),
            (self._tag_again, FURTHER_TAGS),
            (self._deliver_again, COPIES),
        ):
            for _ in range(round(times * share)):
                clock.at(max(0, self.dice.uniform(0, BUSY_SECONDS) - late), act)
        for number in range(1, int(HOUR / SWEEP_EVERY) + 1):
            clock.at(number * SWEEP_EVERY - late, self.game.sweep)

    def _push(self) -> None:
        repository = self.dice.choice(REPOSITORIES)
        image = self.dice.choices([GOOD, TWO_PORTS, SILENT, CRASHES], [6, 2, 1, 1])[0]
        # The event of a push to another repository may be lost too, but of the first one nobody would know that.
        with_event = repository != REPOSITORY or self.dice.random() > LOST_PUSHES
        self.game.push(image, repository=repository, tag=self._tag(repository), with_event=with_event)
        if with_event and self.dice.random() < ABORTS:
            self.game.clock.at(self.dice.uniform(0.5, 8), self._abort)

    def _tag(self, repository: str) -> str:
        """`latest`, a new pull request, or one that is open; or else a version, now and then."""
        if not self.game.by_tag:
            self.numbers += 1
            return f"v{self.numbers}" if self.dice.random() < 0.3 else "latest"
        its = [number for name, number in self.pull_requests if name == repository]
        if self.dice.random() < 0.3:
            return "latest"
        if its and self.dice.random() < 0.6:
            return f"pr-{self.dice.choice(its)}"
        self.numbers += 1
        self.pull_requests.append((repository, self.numbers))
        if len(self.pull_requests) > OPEN_PREVIEWS:
            # Nobody deletes its tag: it ends by itself.
            self.pull_requests.pop(0)
        return f"pr-{self.numbers}"

    def _delete(self) -> None:
        if self.pull_requests:
            repository, number = self.pull_requests.pop(self.dice.randrange(len(self.pull_requests)))
            self.game.cloud.delete_tag(repository, f"pr-{number}")

    def _tag_again(self) -> None:
        if self.game.made:
            self.game.push_again(tag="stable")

    def _deliver_again(self) -> None:
        known = [number for number, each in enumerate(self.game.made, 1) if each.push.deployment]
        if known:
            self.game.deliver(self.dice.choice(known[-10:]))

    def _abort(self) -> None:
        execution = list(self.game.machine.executions.values())[-1]
        if execution.status == "RUNNING":
            self.game.aborted.add(execution.name)
            self.game.machine.abort(execution)

    def _crash(self) -> None:
        serving = [each for each in self.game.cloud.tasks.values() if each.alive and _serves(self.game, each)]
        if serving:
            self._end(self.dice.choice(serving))

    def _crash_again_and_again(self) -> None:
        """An app crashes, and twice again once it has been restarted."""
        serving = [each for each in self.game.cloud.tasks.values() if each.alive and _serves(self.game, each)]
        if serving:
            app = self.dice.choice(serving).app
            for seconds in (0, 60, 120):
                self.game.clock.at(seconds, lambda: self._crash_app(app))

    def _crash_app(self, app: str) -> None:
        current = self.game.cloud.current(app)
        if current:
            self._end(self.game.cloud.tasks[current.task])

    def _end(self, task: Task) -> None:
        cloud = self.game.cloud
        if task.alive:
            if self.dice.random() < LOST_CRASHES:
                cloud.lost.add("RestartApp")
                self.game.clock.at(5, cloud.lost.clear)
            self.game.spoiled.add(task.arn)
            cloud.end_task(task, "EssentialContainerExited", "Essential container in task exited", 1)


def _serves(game: Game, task: Task) -> bool:
    current = game.cloud.current(task.app)
    return current is not None and current.task == task.arn


def _sweep(game: Game) -> None:
    for _ in range(SWEEPS):
        game.time_passes(SWEEP_EVERY)
        game.sweep()
        game.clock.run()


def ninety_days_later(game: Game) -> tuple[Inventory, Inventory, list[str]]:
    """What there is once all previews have ended, and once the ledger has forgotten all; and what has changed.

    Nothing is pushed meanwhile. What changes then is wrong: what serves continues, and nobody is mailed.
    """
    game.clock.now += (PREVIEW_HOURS + 1) * HOUR
    _sweep(game)
    before, serving, mails = inventory(game, 0), _serving(game), len(game.cloud.mails)
    game.clock.now += RETENTION + TTL_TAKES + DAY
    forget_expired(game)
    _sweep(game)
    wrong = [f"{app} is not what it was" for app, task in serving.items() if _serving(game).get(app) != task]
    wrong += [f"mailed: {each.subject}" for each in game.cloud.mails[mails:]]
    wrong += [f"the sweep did {game.swept}"] if game.swept else []
    return before, inventory(game, 0), wrong


def forget_expired(game: Game) -> None:
    """What DynamoDB has deleted by now."""
    items = game.cloud.table.items
    for key in [key for key, item in items.items() if _expires(item) < game.clock.now - TTL_TAKES]:
        del items[key]


def _expires(item: dict[str, Any]) -> float:
    return float(item.get("expires_at", "inf"))


def _serving(game: Game) -> dict[str, str]:
    apps = {pk.removeprefix("app#") for pk, sk in game.cloud.table.items if sk == "current"}
    return {app: current.task for app in apps if (current := game.cloud.current(app))}


def inventory(game: Game, hour: int) -> Inventory:
    cloud, items = game.cloud, list(game.cloud.table.items.values())
    current = [found for app in _serving(game) if (found := cloud.current(app))]
    tasks = [each for each in cloud.tasks.values() if each.status != "STOPPED"]
    used = {each.group for each in tasks}
    return Inventory(
        hour,
        pushes=len(game.made),
        deployments=sum(not name.startswith("restart-") for name in game.machine.executions),
        apps=len({pk for pk, sk in cloud.table.items if sk == "order"}),
        calls=len(cloud.calls),
        mails=len(cloud.mails),
        running=sum(not each.gave_up_reason for each in current),
        given_up=sum(bool(each.gave_up_reason) for each in current),
        tasks=len(tasks),
        addresses=len({each.ip for each in tasks}),
        executions=sum(each.status == "RUNNING" for each in game.machine.executions.values()),
        stable_urls=sum(not api.deleted for api in cloud.apis),
        groups=len(cloud.groups),
        unused_groups=sum(each["GroupId"] not in used for each in cloud.groups.values()),
        revisions=len(cloud.revisions),
        staying=sum("expires_at" not in item for item in items),
        expiring=sum("expires_at" in item for item in items),
        expired=sum(_expires(item) < game.clock.now - TTL_TAKES for item in items),
        largest=max(len(repr(wire(item))) for item in items),
        held=held_by_modules(),
    )


def leaks(found: Sequence[Inventory]) -> list[str]:
    """What is there without a reason, in the inventories of one game."""
    return [each for inventory in found for each in _leaks(inventory, found[0])]


def _leaks(found: Inventory, first: Inventory) -> Iterator[str]:
    there = found.running + found.given_up
    limits = {
        "tasks": (found.tasks, found.running),
        "public addresses": (found.addresses, found.running),
        "executions that have not ended": (found.executions, 0),
        "stable URLs": (found.stable_urls, there),
        # What apps share goes with the last of them, which may be down.
        "security groups of no running task": (found.unused_groups, 1),
        "revisions": (found.revisions, found.deployments),
        # Of an app what serves, and its numbers; of a repository what is under way; the slots and the sweep.
        "items that stay": (found.staying, there + found.apps + 2 * len(REPOSITORIES) + 2),
        "items that have expired": (found.expired, 0),
        "bytes of an item": (found.largest, LARGEST_ITEM_BYTES),
        "things that modules hold": (found.held, first.held),
    }
    for what, (number, most) in limits.items():
        if number > most:
            yield f"hour {found.hour}: {number} {what}, and {most} have a reason"


def held_by_modules() -> int:
    """How much the functions' modules hold: what each process that stays warm keeps from call to call.

    A cache that has a limit is not counted.
    """
    modules = [vars(module) for name, module in list(sys.modules.items()) if name.startswith("deployer.")]
    values = {id(each): each for names in modules for name, each in names.items() if not name.startswith("__")}
    found = 0
    for each in values.values():
        if hasattr(each, "cache_info") and each.cache_info().maxsize is None:
            found += each.cache_info().currsize
        elif isinstance(each, dict | list | set):
            found += len(each)
    return found
