"""Plays hours of pushes, crashes and previews in simulated time, and looks for what piles up.

`python -m bench.soak --seed 1 --hours 6` plays the real workflow and the real handlers on AWS as Python objects
(tests/explorer/), over Environments and StableUrl. After each hour it checks all promises of tests/promises.py,
and counts what is there. The same seed on the same code plays the same hours. bench/results/soak.json keeps the
result.
"""

import argparse
import gc
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

# As Lambda has it: the functions are no package that could be installed.
sys.path[:0] = [str(Path(__file__).parents[1] / "functions")]

from bench.reporting import results  # noqa: E402 - needs the path above
from tests.explorer.game import game, stage  # noqa: E402
from tests.explorer.soak import Inventory, Soak, SoakSetting, leaks, ninety_days_later  # noqa: E402

SETTINGS = [SoakSetting(by_tag, stable_url) for by_tag in (False, True) for stable_url in (False, True)]
COLUMNS = {
    "hour": "hour",
    "pushes": "pushes",
    "running": "apps up",
    "given_up": "down",
    "tasks": "tasks",
    "addresses": "addresses",
    "executions": "executions",
    "stable_urls": "stable URLs",
    "groups": "groups",
    "revisions": "revisions",
    "staying": "items that stay",
    "expiring": "that expire",
    "largest": "largest (bytes)",
    "held": "held by modules",
}
# So much (bytes) may more be left of a later account than of the second one.
MAX_GROWTH_BYTES = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=int, default=6)
    arguments = parser.parse_args()
    with stage():
        played = [_play(setting, arguments.hours, arguments.seed) for setting in SETTINGS]
        memory = list(_memory(arguments.hours, arguments.seed))
    grown = max(memory[2:], default=0) - memory[1] if len(memory) > 2 else 0
    kilobytes = ", ".join(f"{each / 1000:,.0f}" for each in memory)
    print(f"\nMemory after each of {len(memory)} accounts (KB): {kilobytes}")
    wrong = [each for one in played for each in one["wrong"]]
    wrong += [f"memory grew by {grown:,} bytes"] if grown > MAX_GROWTH_BYTES else []
    result = {"seed": arguments.seed, "hours": arguments.hours, "settings": played, "memory_bytes": memory}
    print(f"\n{len(wrong)} promises broken or leaks\nThe result is in {results.keep('soak', result)}")
    sys.exit("\n".join(wrong) if wrong else 0)


def _play(setting: SoakSetting, hours: int, seed: int) -> dict[str, Any]:
    print(f"\nEnvironments {setting.name}\n\n| {' | '.join(COLUMNS.values())} |\n|{'---|' * len(COLUMNS)}")
    found: list[Inventory] = []
    wrong: list[str] = []
    with game(setting) as played:
        for inventory, broken in Soak(played, seed).hours(hours):
            found.append(inventory)
            wrong += [f"hour {inventory.hour}: {each}" for each in broken]
            _print(inventory)
        before, after, changed = ninety_days_later(played)
    for name, inventory in (("ended", before), ("90 days", after)):
        _print(inventory, name)
    wrong += [*leaks([*found, before, after]), *(f"90 days later: {each}" for each in changed)]
    return {
        "setting": setting.name,
        "hours": [asdict(each) for each in found],
        "previews_have_ended": asdict(before),
        "ninety_days_later": asdict(after),
        "wrong": [f"{setting.name}: {each}" for each in wrong],
    }


def _print(inventory: Inventory, name: str = "") -> None:
    values = asdict(inventory) | ({"hour": name} if name else {})
    print(
        "|",
        " | ".join(f"{values[each]:,}" if values[each] != name else name for each in COLUMNS),
        "|",
        flush=True,
    )


def _memory(accounts: int, seed: int) -> Iterator[int]:
    """The bytes that the functions' modules still hold after an hour of an account."""
    tracemalloc.start()
    for number in range(accounts):
        with game(SETTINGS[-1]) as played:
            for _ in Soak(played, seed + number).hours(1):
                pass
        del played
        gc.collect()
        yield tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()


if __name__ == "__main__":
    main()
