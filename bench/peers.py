"""Portcall against other ways to get a pushed image to answer: `python -m bench.peers 5` takes five rounds.

In each round all ways take their turn, so that a slow machine slows all of them. Prints the tables of
docs/performance.md, keeps the result in bench/results/, and draws docs/pictures/peers.svg.
"""

import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench import plots
from bench.cloud.bench_cloud import BenchCloud
from bench.measurements.answers import Answers
from bench.measurements.meter import Meter, Taken
from bench.rates_and_prices import costs
from bench.rates_and_prices.costs import Use
from bench.reporting import results
from bench.reporting.figures import spread
from bench.servers.counting import Call
from bench.ways import by_hand, ecs_deploy, polling, with_portcall

ROUNDS = 5
COLD, WARM, HAND, SERVICE, POLLING = (
    "Portcall, every Lambda cold",
    "Portcall, warm",
    "by hand, with the AWS CLI",
    "ecs-deploy",
    "a workflow that polls",
)
# The shortest that was found in public samples.
POLL_SECONDS = 10
# Fargate's start that the price of polling is given for: those that are reported take 20 to 60.
FARGATE_START_SECONDS = 35
SWEEP_MINUTES = (1, 5, 15, 60)


@dataclass(frozen=True)
class Turn:
    """What a way reports of itself: UNIX times, its transitions, and calls inside the cloud."""

    began: float
    ended: float
    transitions: int = 0
    inner_calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Measured:
    """Seconds from the beginning; `start` is the container's own, from RunTask's acceptance to RUNNING."""

    answered: float
    reported: float
    start: float
    transitions: int
    taken: Taken

    @property
    def own(self) -> float:
        """What the way adds to the container's start."""
        return self.reported - self.start


class Ways:
    """All of them, in one cloud. The peers have a cluster of their own, whose events Portcall does not get."""

    def __init__(self, cloud: BenchCloud, answers: Answers) -> None:
        self._cloud, self._answers = cloud, answers
        cloud.forget_bytecode()
        self.meter = Meter(cloud)
        network = by_hand.network(cloud)
        self._peers = polling.install(cloud, network, POLL_SECONDS)
        known = answers.known()
        ecs_deploy.create(cloud, self._peers["Cluster"], self._peers["ExecutionRole"], network)
        answers.new(known)
        # Who calls AWS, and what is done.
        self.all: dict[str, tuple[str, Callable[[], Turn]]] = {
            COLD: ("role", self._cold),
            WARM: ("role", self._warm),
            HAND: (by_hand.CALLER, self._by_hand),
            SERVICE: (ecs_deploy.CALLER, self._service),
            POLLING: ("workflow", self._polling),
        }

    def _cold(self) -> Turn:
        self._cloud.kill_lambdas()
        return self._warm()

    def _warm(self) -> Turn:
        done = with_portcall.deploy(self._cloud)
        return Turn(done.accepted, done.accepted + done.whole, done.transitions)

    def _by_hand(self) -> Turn:
        return Turn(*by_hand.deploy(self._cloud, self._peers["Cluster"]))

    def _service(self) -> Turn:
        return Turn(*ecs_deploy.deploy(self._cloud, self._peers["Cluster"]))

    def _polling(self) -> Turn:
        accepted, mailed, history = polling.deploy(self._cloud, self._peers["Workflow"])
        entered = [event for event in history if "stateEnteredEventDetails" in event]
        scheduled = [
            event["taskScheduledEventDetails"] for event in history if event["type"] == "TaskScheduled"
        ]
        named = [f"{each['resourceType']}:{each['resource']}".split(":")[-2:] for each in scheduled]
        calls = tuple(Call(name, action, "workflow") for name, action in named)
        return Turn(accepted, mailed, len(entered), calls)

    def measure(self, way: str) -> Measured:
        caller, act = self.all[way]
        mark = self.meter.mark()
        known = self._answers.known()
        turn = act()
        answer = self._answers.new(known)
        taken = self.meter.since(mark, caller, turn.inner_calls)
        if way == POLLING:
            self._cloud.client("ecs").stop_task(cluster=self._peers["Cluster"], task=answer.task)
        return Measured(
            answered=answer.at - turn.began,
            reported=turn.ended - turn.began,
            start=answer.container_start,
            transitions=turn.transitions,
            taken=taken,
        )

    def sweep(self) -> Use:
        """What one sweep uses if there is one healthy app."""
        (name,) = [name for name in self.meter.functions if "-Reconcile" in name]
        for _ in range(2):  # the first one has something to do, and is cold
            mark = self.meter.mark()
            self._cloud.client("lambda").invoke(FunctionName=name)
            taken = self.meter.since(mark, "role")
        return self.meter.use(taken)


def report(measured: dict[str, list[Measured]], uses: dict[str, Use], sweep: Use) -> None:
    print("| | the new version answers | its report is there | without the container's own start |")
    print("|---|---|---|---|")
    for way, turns in measured.items():
        columns = [
            [turn.answered for turn in turns],
            [turn.reported for turn in turns],
            [turn.own for turn in turns],
        ]
        print(f"| {way} | {' | '.join(spread(column) for column in columns)} |")
    print()
    for ours in (WARM, COLD):
        for other in (HAND, SERVICE, POLLING):
            pairs = list(zip(measured[other], measured[ours], strict=True))
            whole = statistics.median(theirs.reported / mine.reported for theirs, mine in pairs)
            own = statistics.median(theirs.own / mine.own for theirs, mine in pairs)
            print(
                f"{other} takes {whole:.1f} times as long as {ours}; {own:.1f} without the container's start."
            )
    print("\n| | transitions | AWS API calls | of them DynamoDB's | Lambda invocations | USD per 1,000 |")
    print("|---|---|---|---|---|---|")
    for way, turns in measured.items():
        calls = [sum(turn.taken.calls.values()) for turn in turns]
        table = [sum(count for name, count in turn.taken.calls.items() if "dynamodb" in name) for turn in turns]
        counts = " | ".join(
            f"{statistics.median(column):.0f}"
            for column in (
                [turn.transitions for turn in turns],
                calls,
                table,
                [turn.taken.invocations for turn in turns],
            )
        )
        print(f"| {way} | {counts} | {costs.total(uses[way]) * 1000:.3f} |")
    print(f"\nOf the dollars of {COLD}, by service:\n\n| | USD per 1,000 deployments |\n|---|---|")
    for name, usd in costs.cost(uses[COLD]).items():
        print(f"| {name} | {usd * 1000:.3f} |")
    polls = costs.polled_transitions(FARGATE_START_SECONDS, POLL_SECONDS)
    fargate = replace(uses[POLLING], transitions=polls)
    print(
        f"\nWith a start of {FARGATE_START_SECONDS} s the workflow that polls has {polls} transitions: "
        f"{costs.total(fargate) * 1000:.3f} USD per 1,000."
    )
    print("\n| a sweep every | USD a month |\n|---|---|")
    for minutes in SWEEP_MINUTES:
        print(f"| {minutes} min | {costs.idle_month(sweep, minutes):.2f} |")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with BenchCloud(through=("bench.servers.counting",)) as cloud, Answers(cloud) as answers:
        # The first of each is not counted: Docker's caches are cold.
        with_portcall.deploy(cloud)
        Meter(cloud).mark()
        ways = Ways(cloud, answers)
        for way in (HAND, SERVICE):
            ways.measure(way)
        measured: dict[str, list[Measured]] = {way: [] for way in ways.all}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for way, turns in measured.items():
                turns.append(ways.measure(way))
        uses = {
            way: _median([ways.meter.use(turn.taken, turn.transitions) for turn in turns])
            for way, turns in measured.items()
        }
        sweep = ways.sweep()
    report(measured, uses, sweep)
    raw: dict[str, Any] = {
        "turns": {way: [asdict(turn) for turn in turns] for way, turns in measured.items()},
        "uses": {way: asdict(use) for way, use in uses.items()},
        "usd of one": {way: costs.cost(use) for way, use in uses.items()},
        "sweep": asdict(sweep),
    }
    results.keep("peers", raw)
    plots.draw("peers")


def _median(uses: list[Use]) -> Use:
    """The median of each figure, because a sweep may have run meanwhile."""
    return Use(**{name: statistics.median(asdict(use)[name] for use in uses) for name in asdict(uses[0])})


if __name__ == "__main__":
    main()
