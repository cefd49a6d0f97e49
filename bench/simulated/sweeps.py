"""Sweeps over many healthy apps in simulated time, and their cost; `python -m bench.sweep` measures them.

The real Reconcile on the explorer's AWS, where a call takes 10 ms.
"""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from deployer.events.reconcile import MAX_APPS_SECONDS, MAX_SWEEP_SECONDS

from bench.rates_and_prices import prices
from tests.explorer.game import SWEEP_EVERY, Game, Setting, game

# Answers of AWS have pages of so many; the explorer's have one.
PAGES = {"ecs.list_tasks": 100, "ecr.describe_repositories": 100}
# Seconds that a call takes, the functions' own share of it included.
A_CALL = 0.01
# Minutes between two sweeps; template.yaml has the first.
INTERVALS = (5, 15, 60)
# Of the calls, those before the first app, by what is listed of each: the images of its repository.
LISTED = "ecr.describe_images"


@dataclass(frozen=True)
class Line:
    """A constant, and what each app adds."""

    constant: float
    each: float

    def at(self, apps: float) -> float:
        """The value for so many apps."""
        return self.constant + self.each * apps


def line(sizes: list[tuple[int, float]]) -> Line:
    """The line through the smallest and the largest of `(apps, value)`."""
    (few, low), (many, high) = min(sizes), max(sizes)
    each = (high - low) / (many - few)
    return Line(low - each * few, each)


def cost(calls: dict[str, int], minutes: float) -> float:
    """The dollars for the sweeps of a month, if each makes these calls, one after the other."""
    sweeps = prices.HOURS * 60 / minutes
    # A read of up to 4 KB that is consistent counts as one.
    reads = calls.get("dynamodb.get_item", 0) + calls.get("dynamodb.query", 0)
    writes = calls.get("dynamodb.update_item", 0)
    seconds = sum(calls.values()) * A_CALL
    return sweeps * (
        prices.LAMBDA_REQUEST
        + seconds * prices.MEMORY_GB * prices.LAMBDA_GB_SECOND
        + reads * prices.DYNAMODB_READ
        + writes * prices.DYNAMODB_WRITE
    )


def reach(rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many apps one sweep handles, and how many it can list before its function's time is up."""
    listing = line([(row["apps"], row["well"]["calls"].get(LISTED, 0) * A_CALL) for row in rows])
    all_of_it = line([(row["apps"], sum(row["well"]["calls"].values()) * A_CALL) for row in rows])
    looking = Line(all_of_it.constant, all_of_it.each - listing.each)
    return {
        "apps that one sweep handles": int((MAX_APPS_SECONDS - looking.constant) / looking.each),
        "apps until the function's time is up": int((MAX_SWEEP_SECONDS - all_of_it.constant) / all_of_it.each),
        "repositories that can be listed at all": int(MAX_SWEEP_SECONDS / listing.each),
    }


def sweep(played: Game) -> dict[str, Any]:
    """Run one sweep; return the calls by name, the simulated seconds, and the CPU seconds."""
    before, began, used = len(played.cloud.calls), played.clock.now, time.process_time()
    played.sweep()
    played.clock.run()
    calls = Counter(name.partition(" ")[0] for name in played.cloud.calls[before:])
    calls.pop("start", None)
    apps = len({each["family"] for each in played.cloud.revisions})
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


def table(rows: list[dict[str, Any]]) -> str:
    """A row for each number of apps, in Markdown."""
    heads = " | ".join(f"every {minutes} minutes" for minutes in INTERVALS)
    lines = [
        f"| apps | calls | calls an app | simulated | {heads} |",
        "|---|---|---|---|" + "---|" * len(INTERVALS),
    ]
    for row in rows:
        made = row["well"]["calls"]
        calls, took = sum(made.values()), row["well"]["simulated seconds"]
        month = " | ".join(f"${cost(made, minutes):.2f}" for minutes in INTERVALS)
        lines.append(f"| {row['apps']:,} | {calls:,} | {calls / row['apps']:.2f} | {took:.1f} s | {month} |")
    return "\n".join(lines)
