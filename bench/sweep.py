"""Measures the calls of a sweep over many healthy apps: `python -m bench.sweep --sizes 1 10 100 1000`.

The real Reconcile on the explorer's AWS, where a call takes 10 ms of simulated time. Prints a table;
bench/results/ keeps the result.
"""

import argparse
import json
import sys
import time
from collections import Counter
from typing import Any

from bench import results
from tests.explorer import aws
from tests.explorer.game import SWEEP_EVERY, Game, Setting, game, stage

SIZES = (1, 10, 100, 1000)
# Answers of AWS have pages of so many; the explorer's have one.
PAGES = {"ecs.list_tasks": 100, "ecr.describe_repositories": 100}
# Seconds that a call takes, the functions' own share of it included.
A_CALL = 0.01


def sweep(played: Game) -> dict[str, Any]:
    """Run one sweep; return the calls by name, the simulated seconds, and the CPU seconds."""
    before, began, used = len(played.cloud.calls), played.clock.now, time.process_time()
    played.sweep()
    played.clock.run()
    calls = Counter(name.partition(" ")[0] for name in played.cloud.calls[before:])
    calls.pop("start", None)
    apps = len(played.cloud.revisions)
    for name, size in PAGES.items():
        calls[name] += max(0, -(-apps // size) - 1) if calls[name] else 0
    return {
        "calls": dict(sorted(calls.items())),
        "simulated seconds": round(played.clock.now - began, 2),
        "cpu seconds": round(time.process_time() - used, 3),
    }


def measure(apps: int) -> dict[str, Any]:
    with game(Setting()) as played:
        played.allow("MAX_APPS", apps)
        for number in range(apps):
            played.push(repository=f"app-{number:04}")
        played.clock.run()
        while played.swept != {}:
            played.time_passes(SWEEP_EVERY)
            played.sweep()
            played.clock.run()
        assert not played.cloud.bugs, played.cloud.bugs[0]
        alive = [task for task in played.cloud.tasks.values() if task.alive]
        assert len(alive) == apps, (len(alive), apps)
        return {"apps": apps, "well": sweep(played)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    rows = []
    aws.A_CALL = A_CALL  # type: ignore[attr-defined]
    with stage():
        for apps in parser.parse_args().sizes:
            rows.append(measure(apps))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print("| apps | calls | calls an app | simulated | CPU here |\n|---|---|---|---|---|")
    for row in rows:
        calls, cpu = sum(row["well"]["calls"].values()), row["well"]["cpu seconds"]
        took = row["well"]["simulated seconds"]
        print(f"| {row['apps']} | {calls} | {calls / row['apps']:.2f} | {took:.1f} s | {cpu:.2f} s |")
    print(f"Kept in {results.keep('sweep', {'sizes': rows})}", file=sys.stderr)


if __name__ == "__main__":
    main()
