"""Campaigns: many deployments while calls fail, functions die and executions are aborted; every report is true.

`python -m bench.faults --pushes 1000 --share 0.05 --seed 7`: microburst stands between the functions and the
embedded cloud, and throttles, fails, delays or resets that share of their calls, or loses the answer. Meanwhile
events are lost, executions aborted, processes of functions and containers killed. After each round everything
must settle, and each promise of tests/promises.py that does not hold is printed; the command exits with 1 then.
bench/results/ keeps the result of the rounds so far.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from bench.cloud.campaign import Campaign, campaign, say
from bench.reporting import results
from localcloud.inbox import read
from tests.chaos import Settled

APPS = 40
# In one round.
PUSHES_OF_EACH = 3
MOST_AT_ONCE = 16
# How many of the broken images never answer, which takes as long as HealthTimeout.
SILENT = 0.15
SIGNATURES = 0.05
SETTLES_WITHIN = 900.0
# A look asks for all apps and runs the sweep, which takes half a second of CPU.
LOOKS_EVERY = 5.0
# For the sweep, a push whose event has not come after 120 s is lost.
EVENTS_WITHIN = 125.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, default=100)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--apps", type=int, default=APPS)
    parser.add_argument(
        "--each", type=int, default=PUSHES_OF_EACH, help="how often each app is pushed in a round"
    )
    parser.add_argument("--minutes", type=float, default=1000, help="begin no round after so many")
    asked = parser.parse_args()
    apps = [f"chaos-{number}" for number in range(asked.apps)]
    rounds: list[Settled] = []
    began = time.monotonic()
    with campaign(asked.seed) as made:
        chaos = made.chaos
        chaos.silent, chaos.signatures, chaos.most_at_once = SILENT, SIGNATURES, MOST_AT_ONCE
        chaos.settles_within, chaos.events_within = SETTLES_WITHIN, EVENTS_WITHIN
        chaos.looks_every = LOOKS_EVERY
        for app in apps:
            scan = {"scanOnPush": True}
            chaos.stack.cloud.client("ecr").create_repository(
                repositoryName=app, imageScanningConfiguration=scan
            )
        broken: list[str] = []
        while _pushes(made) < asked.pushes and time.monotonic() < began + 60 * asked.minutes:
            left = asked.pushes - _pushes(made)
            rounds.append(chaos.play(apps, min(asked.each, -(-left // len(apps))), asked.share))
            result = _result(made, apps, rounds)
            broken = result["broken"]
            conditions = {"share": asked.share, "seed": asked.seed, "seconds": round(time.monotonic() - began)}
            kept = results.keep(f"faults-{asked.share}-seed-{asked.seed}", {**conditions, **result})
            say(f"{result['pushes']} pushes, {result['outcomes']}, {len(broken)} broken promises: {kept}")
            if len(rounds) == 1 and (live := [app for app in apps if "current" in chaos.ledger(app)]):
                # From now on its pushes are only recorded, in the state RecordPush.
                chaos.stop(live[0])
        print(json.dumps(result, indent=1))
        if broken:
            # Within, so that the logs stay.
            sys.exit(1)


def _pushes(made: Campaign) -> int:
    return sum(map(len, made.chaos.pushed.values()))


def _result(made: Campaign, apps: list[str], rounds: list[Settled]) -> dict[str, Any]:
    """The result of all rounds so far."""
    chaos, inside = made.chaos, made.happened()
    ledgers = {app: chaos.ledger(app) for app in apps}
    deployments = [
        item for items in ledgers.values() for name, item in items.items() if name.startswith("deployment#")
    ]
    inbox = list(read(chaos.stack.settings.inbox))
    found = [chaos.broken(app, inbox) for app in apps]
    return {
        "pushes": _pushes(made),
        "apps": len(apps),
        "calls": made.proxy.ask("GET", "stats")["requests"],
        "faults": made.spoiled(),
        "events lost": dict(
            sorted(Counter(f"{each['event']} {each['status']}".strip() for each in inside["lost"]).items())
        ),
        "executions aborted in": dict(sorted(Counter(state for _, state in inside["aborted"]).items())),
        "processes of functions killed": dict(sorted(_by_step(inside["killed"]).items())),
        "functions that died in an invocation": _deaths(inside["died"]),
        "containers killed": len(chaos.killed),
        "outcomes": dict(sorted(Counter(item.get("outcome", "none") for item in deployments).items())),
        "deployments that ran a task": sum(1 for item in deployments if item.get("task")),
        "tasks started": sum(len(chaos.started(app)) for app in apps),
        "mails": len(inbox),
        "mails sent again after a function died": len(chaos.sent_twice),
        "deaths before them": _deaths(each for each in inside["died"] if each[1] in chaos.sent_twice),
        "rounds": [
            {"sweeps with something to do": len(each.sweeps), "seconds to reconcile": each.seconds}
            for each in rounds
        ],
        "cpu": made.cpu(),
        "broken": sorted({each for broken in found for each in broken}),
    }


def _by_step(killed: dict[str, int]) -> dict[str, int]:
    return {_step(name): times for name, times in killed.items()}


def _deaths(died: Iterable[list[str]]) -> dict[str, int]:
    """How often each step was killed or timed out while it worked."""
    return dict(sorted(Counter(f"{_step(function)} {how}" for function, _, how in died).items()))


def _step(function: str) -> str:
    """`portcall-RunTaskFunction-5D0A` is RunTask."""
    return re.sub(r"^.*?-(\w+)Function-.*$", r"\1", function)


if __name__ == "__main__":
    main()
