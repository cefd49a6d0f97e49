"""Bursts of pushes within AWS's documented rates, in simulated time: `python -m bench.drain --pushes 1000`.

Prints a table, and each promise of tests/promises.py that does not hold; exits with 1 then. bench/results/
keeps the result.
"""

import argparse
import json
import sys
from dataclasses import replace
from typing import Any

from bench.reporting import results
from bench.simulated.bursts import A_CALL, STARTS, Burst, play, table
from tests.explorer import aws
from tests.explorer.game import stage

BURSTS = (
    Burst(1000, 1),
    Burst(1000, 2),
    Burst(1000, 10),
    Burst(1000, 10, vcpus=30),
    Burst(1000, 100),
    Burst(100, 100),
    Burst(50, 50),
    Burst(50, 10),
    Burst(200, 50),
    Burst(200, 50, new_account=True),
    Burst(1000, 1000),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, help="with --apps: this burst only, and nothing is kept")
    parser.add_argument("--apps", type=int)
    parser.add_argument("--new-account", action="store_true")
    parser.add_argument("--vcpus", type=float, default=0.0, help="of Fargate, where the default is not meant")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    bursts = [replace(each, seed=asked.seed) for each in BURSTS]
    if asked.pushes and asked.apps:
        bursts = [Burst(asked.pushes, asked.apps, asked.seed, asked.new_account, asked.vcpus)]
    aws.A_CALL, aws.STARTS = A_CALL, STARTS  # type: ignore[attr-defined]
    played: list[dict[str, Any]] = []
    with stage():
        alone = play(Burst(1, 1))["drained"]
        for burst in bursts:
            played.append(play(burst))
            print(json.dumps(played[-1] | {"open": "", "mailed after": ""}), file=sys.stderr, flush=True)
    print(table(played, alone))
    for each in played:
        for what in each["broken"]:
            print(f"BROKEN in {each['burst']}: {what}")
    if not asked.pushes:
        print(f"Kept in {results.keep('drain', {'alone': alone, 'bursts': played})}", file=sys.stderr)
    sys.exit(any(each["broken"] for each in played))


if __name__ == "__main__":
    main()
