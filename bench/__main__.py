"""Measures the time from a push to the mail, the manual way in the same run, and the cost of imports.

`python -m bench 5` takes five rounds; `python -m bench burst` pushes many apps at once instead.
"""

import statistics
import sys
from dataclasses import asdict

from bench import burst, imports, manual, results, road
from bench.setting import Setting

ROUNDS = 7


def spread(seconds: list[float]) -> str:
    """`median (smallest to largest)`, in seconds."""
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def main() -> None:
    if sys.argv[1:] == ["burst"]:
        burst.main([])
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with Setting() as setting:
        road.deploy(setting)  # the first is not counted: Docker's caches are cold
        cold, warm, by_hand = [], [], []
        # In turns, so that a slow machine slows down all three.
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            setting.kill_lambdas()
            cold.append(road.deploy(setting))
            warm.append(road.deploy(setting))
            began, ended = manual.deploy(setting)
            by_hand.append(ended - began)
        ours = [each.whole for each in warm]
        print("## From the registry's acceptance of the manifest to the mail\n")
        print("| | whole | without the container's own start |\n|---|---|---|")
        print(f"| every Lambda cold | {spread([e.whole for e in cold])} | {spread([e.own for e in cold])} |")
        print(f"| warm | {spread(ours)} | {spread([e.own for e in warm])} |")
        print(f"| by hand, with the AWS CLI | {spread(by_hand)} | |")
        ratio = statistics.median(hand / mine for hand, mine in zip(by_hand, ours, strict=True))
        print(f"\nBy hand takes {ratio:.1f} times as long (median of {rounds} pairs).")
        print(f"\nState transitions per deployment: {sorted({each.transitions for each in cold + warm})}")
        print("\n## What a cold start costs\n")
        imports.report(setting)
        raw = {"cold": [asdict(each) for each in cold], "warm": [asdict(each) for each in warm]}
        results.keep("road", raw | {"by hand": by_hand})


if __name__ == "__main__":
    main()
