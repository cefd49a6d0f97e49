"""Measures the calls of a sweep over many healthy apps: `python -m bench.sweep --sizes 1 10 100 1000`.

Prints a table, with what the sweeps of a month cost, and what would break first; bench/results/ keeps the
result.
"""

import argparse
import json
import sys

from bench.reporting import results
from bench.simulated.sweeps import A_CALL, INTERVALS, cost, line, measure, reach, table
from tests.explorer import aws
from tests.explorer.game import stage

SIZES = (1, 10, 100, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    rows = []
    aws.A_CALL = A_CALL  # type: ignore[attr-defined]
    with stage():
        for apps in parser.parse_args().sizes:
            rows.append(measure(apps))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(table(rows))
    if len(rows) > 1:
        month = line([(row["apps"], cost(row["well"]["calls"], INTERVALS[0])) for row in rows])
        print(f"\nA month: ${month.constant:.4f}, and ${month.each:.5f} an app.")
        for what, number in reach(rows).items():
            print(f"{what}: {number:,}")
    print(f"Kept in {results.keep('sweep', {'sizes': rows})}", file=sys.stderr)


if __name__ == "__main__":
    main()
