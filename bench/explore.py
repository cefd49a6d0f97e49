"""Searches further than `make test` for a schedule that breaks a promise: two things happen, at any two calls.

`python -m bench.explore --seed 7 --minutes 10` prints each as a line that can be pasted into
tests/workflow/test_explorer.py. The same seed on the same code plays the same schedules.
"""

import argparse
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

# As Lambda has it: the functions are no package that could be installed.
sys.path[:0] = [str(Path(__file__).parents[1] / "functions")]

from tests.explorer import explore  # noqa: E402 - needs the path above
from tests.explorer.explore import Played, Schedule  # noqa: E402
from tests.explorer.game import stage  # noqa: E402

# How often a broken promise is printed.
EACH_PROMISE = 3


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--minutes", type=float, default=10.0)
    asked = arguments.parse_args()
    workers = multiprocessing.cpu_count()
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        tasks = [(asked.seed * workers + number, asked.minutes) for number in range(workers)]
        found = pool.starmap(look, tasks)
    played = sum(number for number, _ in found)
    broken = [each for _, several in found for each in several]
    shown: Counter[str] = Counter()
    for schedule in sorted(broken, key=lambda each: len(each.schedule.disturbances)):
        promises = {each.partition(":")[0] for each in schedule.broken}
        if any(shown[each] < EACH_PROMISE for each in promises):
            print(schedule.story())
        shown.update(promises)
    print(f"\n{played} schedules, of which {len(broken)} broke a promise")
    for promise, times in shown.most_common():
        print(f"  {times:5} {promise}")
    sys.exit(bool(broken))


def look(seed: int, minutes: float) -> tuple[int, list[Played]]:
    """Play schedules for this many minutes; return their number and those that broke a promise."""
    dice = random.Random(seed)  # noqa: S311 - the same schedules for the same seed
    until = time.monotonic() + 60 * minutes
    played = 0
    broken: list[Played] = []
    with stage():
        places = [(explore.undisturbed(*place), place) for place in explore.scenarios()]
        while time.monotonic() < until:
            undisturbed, place = dice.choice(places)
            first = explore.play(Schedule(*place, (explore.any_disturbance(undisturbed.calls, dice),)))
            second = explore.any_disturbance(first.calls, dice, first.schedule.disturbances[0])
            both = explore.play(Schedule(*place, (*first.schedule.disturbances, second)))
            played += 2
            broken += _smallest(first, both)
    return played, broken


def _smallest(first: Played, both: Played) -> Iterator[Played]:
    """The schedules that broke with one disturbance, or else those that need two."""
    if first.broken:
        yield first
    elif both.broken:
        alone = explore.play(
            Schedule(both.schedule.scenario, both.schedule.setting, both.schedule.disturbances[1:])
        )
        undisturbed = explore.undisturbed(both.schedule.scenario, both.schedule.setting)
        # Without the first one, it may be at a call after which a second mail cannot be helped.
        counts = explore.can_be_helped(both.schedule.disturbances[1], undisturbed.calls)
        yield alone if alone.broken and counts else both


if __name__ == "__main__":
    main()
