"""Bursts of pushes within AWS's documented rates, in simulated time: `python -m bench.drain --pushes 1000`.

The real workflow and the real handlers on the explorer's AWS, with bench/quotas.py in front of it. Prints a table,
and each promise of tests/promises.py that does not hold; exits with 1 then. bench/results/ keeps the result.
"""

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bench import quotas, results
from bench.burst import most_within
from bench.throttling import Account, ThrottledMachine, Tokens, throttled
from tests.explorer import aws
from tests.explorer.game import SWEEP_EVERY, Game, Setting, game, stage
from tests.promises import broken, first_attempt

SIZES = (1, 10, 50, 100, 1000)
# Seconds that a call takes, the functions' own share of it included, and from RunTask to RUNNING.
A_CALL, STARTS = 0.01, 30.0
# A burst is to be drained within so many times of what the tightest quota allows.
ALLOWED = 1.2


@dataclass(frozen=True)
class Burst:
    """How many pushes over how many apps; `new_account` says that ten functions may run at once."""

    pushes: int
    apps: int
    seed: int = 1
    new_account: bool = False

    def arrivals(self) -> list[tuple[float, str]]:
        """When each push comes, in seconds, as fast as ECR takes them: every app's first, then every app's second."""
        late = max(0.0, 1 / quotas.PUT_IMAGE.per_second)
        return [
            (max(0.0, (number + 1 - quotas.PUT_IMAGE.burst) * late), f"app-{number % self.apps:04}")
            for number in range(self.pushes)
        ]

    def quota_seconds(self) -> float:
        """The earliest time at which AWS could have registered each app's newest push, if it did nothing else."""
        newest = {app: at for at, app in self.arrivals()}
        now, tokens = 0.0, Tokens(quotas.REGISTER, 0.0)
        for at in sorted(newest.values()):
            now = max(now, at)
            if tokens.is_empty(now):
                now += (1 - tokens.left) / tokens.bucket.per_second
                tokens.is_empty(now)
            tokens.take()
        return now


def play(burst: Burst) -> tuple[Game, Account, ThrottledMachine]:
    """Push all of it, with a sweep every five minutes, and let the dust settle."""
    with game(Setting()) as played:
        concurrency = quotas.NEW_CONCURRENCY if burst.new_account else quotas.CONCURRENCY
        # An account for so many apps has asked for the vCPUs: each app's two versions run at once for a moment.
        vcpus = max(quotas.VCPUS, 2 * burst.apps * quotas.APP_VCPUS)
        played.allow("MAX_APPS", max(100, burst.apps))
        with throttled(played, concurrency=concurrency, vcpus=vcpus, seed=burst.seed) as (account, machine):
            for at, app in burst.arrivals():
                played.clock.at(at, lambda app=app: played.push(repository=app))  # type: ignore[misc]

            def sweep() -> None:
                if any(each.status == "RUNNING" for each in machine.executions.values()):
                    played.sweep()
                    played.clock.at(SWEEP_EVERY, sweep)

            played.clock.at(SWEEP_EVERY, sweep)
            played.clock.run()
            _say(f"{burst}: drained, {played.clock.now:.0f}")
            played.settle()
            measured = measure(burst, played, account, machine)
            measured["broken"] = broken(played.world())
        RESULTS.append(measured)
        return played, account, machine


RESULTS: list[dict[str, Any]] = []


def measure(burst: Burst, played: Game, account: Account, machine: ThrottledMachine) -> dict[str, Any]:
    began = played.made[0].at
    ended: dict[str, float] = {}
    for each in machine.executions.values():
        name = first_attempt(each.name)
        ended[name] = max(ended.get(name, 0.0), each.ended)
    spans = [(made.at - began, ended[made.push.deployment] - began) for made in played.made]
    mailed = {first_attempt(each.document["deployment"]): each.at - began for each in played.cloud.mails}
    outcomes = Counter(
        item.get("outcome", "none") for (_, sk), item in played.cloud.table.items.items() if sk.startswith("deployment#")
    )
    return {
        "pushes": burst.pushes,
        "apps": burst.apps,
        "new account": burst.new_account,
        "seed": burst.seed,
        "drained": round(max(end for _, end in spans), 1),
        "quota allows": round(burst.quota_seconds(), 1),
        "spans": [[round(at, 1), round(end, 1)] for at, end in spans],
        "mailed after": sorted(
            round(mailed[made.push.deployment] - (made.at - began), 1)
            for made in played.made
            if made.push.deployment in mailed
        ),
        "outcomes": dict(sorted(outcomes.items())),
        "mails": len(played.cloud.mails),
        "mails in a second": most_within(sorted(each.at for each in played.cloud.mails), 1.0),
        "transitions of tasks": machine.transitions,
        "transitions": machine.transitions + sum(len(each.states) for each in machine.executions.values()),
        "retries": dict(sorted((+machine.retries).items())),
        "throttled": dict(sorted(account.throttled.items())),
        "revisions": account.tokens[quotas.REGISTER.name].taken,
        "invocations": account.invocations,
        "cold starts": account.cold_starts,
        "functions at once": account.most_running,
        "tasks": len(played.cloud.tasks),
        "alive": sum(task.alive for task in played.cloud.tasks.values()),
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    aws.A_CALL, aws.STARTS = A_CALL, STARTS
    a = argparse.ArgumentParser()
    a.add_argument("--pushes", type=int, default=200)
    a.add_argument("--apps", type=int, default=50)
    a.add_argument("--new", action="store_true")
    x = a.parse_args()
    t = time.process_time()
    with stage():
        play(Burst(x.pushes, x.apps, new_account=x.new))
    r = RESULTS[0]
    r.pop("spans")
    r["mailed after"] = r["mailed after"][:3] + r["mailed after"][-3:]
    r["broken"] = r["broken"][:10]
    print(json.dumps(r, indent=1), time.process_time() - t)
