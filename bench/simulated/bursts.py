"""Bursts of pushes in simulated time, within AWS's documented rates; `python -m bench.drain` plays them.

The real workflow and the real handlers run on the explorer's AWS, behind bench/rates_and_prices/quotas.py.
"""

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from bench.rates_and_prices import quotas
from bench.rates_and_prices.rates import most_within, registered_by
from bench.simulated.throttling import Account, ThrottledMachine, throttled
from tests.explorer.game import SWEEP_EVERY, Game, Setting, game
from tests.promises import broken, first_attempt

# Seconds that a call takes, the functions' own share of it included, and from RunTask to RUNNING.
A_CALL, STARTS = 0.01, 30.0
# A burst is to be drained within so many times of what the tightest quota allows.
ALLOWED = 1.2
# Points of a curve that are kept.
POINTS = 80


@dataclass(frozen=True)
class Burst:
    """How many pushes over how many apps; `new_account` says that ten functions may run at once."""

    pushes: int
    apps: int
    seed: int = 1
    new_account: bool = False
    # Of Fargate; each app's two versions run at once for a moment.
    vcpus: float = 0.0

    def vcpus_allowed(self) -> float:
        """Fargate's vCPUs; an account for so many apps has requested a larger quota."""
        return self.vcpus or max(quotas.VCPUS, 2 * self.apps * quotas.APP_VCPUS)

    def arrivals(self) -> list[tuple[float, str]]:
        """The seconds and the app of each push: as fast as ECR allows, first each app once, then again."""
        burst, rate = quotas.PUT_IMAGE.burst, quotas.PUT_IMAGE.per_second
        return [
            (max(0.0, (number + 1 - burst) / rate), f"app-{number % self.apps:04}")
            for number in range(self.pushes)
        ]

    def quota_seconds(self) -> float:
        """The earliest time at which AWS could have registered each app's newest push, and nothing else."""
        return registered_by({app: at for at, app in self.arrivals()}.values())


def play(burst: Burst) -> dict[str, Any]:
    """Push all of it, with a sweep every five minutes, wait until all has settled, and return the figures."""
    with game(Setting()) as played:
        concurrency = quotas.NEW_CONCURRENCY if burst.new_account else quotas.CONCURRENCY
        played.allow("MAX_APPS", max(100, burst.apps))
        with throttled(played, concurrency=concurrency, vcpus=burst.vcpus_allowed(), seed=burst.seed) as (
            account,
            machine,
        ):
            for at, app in burst.arrivals():
                played.clock.at(at, lambda app=app: played.push(repository=app))  # type: ignore[misc]

            def sweep() -> None:
                if any(each.status == "RUNNING" for each in machine.executions.values()):
                    played.sweep()
                    played.clock.at(SWEEP_EVERY, sweep)

            played.clock.at(SWEEP_EVERY, sweep)
            played.clock.run()
            named = (name.partition(" ")[0] for name in played.cloud.calls)
            calls = Counter(name for name in named if name not in ("start", "end"))
            played.settle()
            return measure(burst, played, account, machine) | {"calls": dict(sorted(calls.items()))}


def measure(burst: Burst, played: Game, account: Account, machine: ThrottledMachine) -> dict[str, Any]:
    """The figures of a burst, in seconds since its first push."""
    began = played.made[0].at
    ended: dict[str, float] = {}
    for each in machine.executions.values():
        name = first_attempt(each.name)
        ended[name] = max(ended.get(name, 0.0), each.ended - began)
    mailed = {first_attempt(each.document["deployment"]): each.at - began for each in played.cloud.mails}
    outcomes = Counter(
        item.get("outcome", "none")
        for (_, sk), item in played.cloud.table.items.items()
        if sk.startswith("deployment#")
    )
    took = sorted(
        mailed[made.push.deployment] - (made.at - began)
        for made in played.made
        if made.push.deployment in mailed
    )
    alive, mails = sum(task.alive for task in played.cloud.tasks.values()), played.cloud.mails
    in_a_second = most_within(sorted(each.at for each in mails), 1.0)
    found = broken(played.world())
    if alive != burst.apps:
        found.append(f"{alive} tasks of {burst.apps} apps")
    if in_a_second > quotas.MAILS_PER_SECOND:
        found.append(f"{in_a_second} mails in a second")
    return {
        "burst": asdict(burst),
        "drained": round(max(ended.values()), 1),
        "quota": round(burst.quota_seconds(), 1),
        "open": _curve([made.at - began for made in played.made], sorted(ended.values())),
        "mailed after": [round(each, 1) for each in took],
        "outcomes": dict(sorted(outcomes.items())),
        "mails in a second": in_a_second,
        "transitions": machine.transitions + machine.further_states(),
        "retries": dict(sorted((+machine.retries).items())),
        "throttled": dict(sorted(account.throttled.items())),
        "revisions": account.tokens[quotas.REGISTER.name].taken,
        "tasks": len(played.cloud.tasks),
        "invocations": account.invocations,
        "functions at once": account.most_running,
        "broken": found,
    }


def _curve(begun: list[float], ended: list[float]) -> dict[str, Any]:
    """The number of pushes without an outcome, at regular intervals."""
    step = max(1, math.ceil(ended[-1] / POINTS))
    times = range(0, math.ceil(ended[-1]) + step, step)
    return {"every": step, "pushes": [sum(b <= t for b in begun) - sum(e <= t for e in ended) for t in times]}


def table(played: list[dict[str, Any]], alone: float) -> str:
    """A row for each burst, in Markdown.

    An older version is registered if no newer push has come yet, so a burst registers more than one version of
    an app. The last ratio compares with the time that the quota allows for all of these.
    """
    lines = [
        "| pushes over apps | drained | the quota allows | times that | times what its revisions take "
        "| outcomes | transitions a push |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in played:
        burst, drained, least = each["burst"], each["drained"], each["quota"]
        needed = max(least, (each["revisions"] - quotas.REGISTER.burst) / quotas.REGISTER.per_second)
        name = f"{burst['pushes']:,} over {burst['apps']:,}"
        name += ", ten functions at once" if burst["new_account"] else ""
        name += f", {burst['vcpus']:g} vCPUs" if burst["vcpus"] else ""
        cells = [
            name,
            f"{drained:.0f} s",
            f"{least:.0f} + {alone:.0f} s",
            f"{drained / (least + alone):.2f}",
            f"{drained / (needed + alone):.2f}",
            ", ".join(f"{count:,} {outcome}" for outcome, count in each["outcomes"].items()),
            f"{each['transitions'] / burst['pushes']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
