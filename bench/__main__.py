"""Measures the time from a push to the mail, the manual way in the same run, and the cost of imports.

`python -m bench 5` takes five rounds; `python -m bench burst` pushes many apps at once instead.
"""

import statistics
import sys
from dataclasses import asdict

from bench import burst
from bench.cloud.bench_cloud import BenchCloud
from bench.measurements import imports
from bench.reporting import results
from bench.reporting.figures import spread
from bench.ways import by_hand, with_portcall

ROUNDS = 7


def main() -> None:
    if sys.argv[1:] == ["burst"]:
        burst.main([])
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with BenchCloud() as cloud:
        with_portcall.deploy(cloud)  # the first is not counted: Docker's caches are cold
        cold, warm, manual = [], [], []
        # In turns, so that a slow machine slows down all three.
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            cloud.kill_lambdas()
            cold.append(with_portcall.deploy(cloud))
            warm.append(with_portcall.deploy(cloud))
            began, ended = by_hand.deploy(cloud)
            manual.append(ended - began)
        compiling = _without_bytecode(cloud, rounds)
        ours = [each.whole for each in warm]
        print("## From the registry's acceptance of the manifest to the mail\n")
        print("| | whole | without the container's own start |\n|---|---|---|")
        print(_row("every Lambda cold", cold))
        print(_row("the same, without bytecode", compiling))
        print(_row("warm", warm))
        print(f"| by hand, with the AWS CLI | {spread(manual)} | |")
        ratio = statistics.median(hand / mine for hand, mine in zip(manual, ours, strict=True))
        print(f"\nBy hand takes {ratio:.1f} times as long (median of {rounds} pairs).")
        print(f"\nState transitions per deployment: {sorted({each.transitions for each in cold + warm})}")
        print("\n## What a cold start costs\n")
        imports.report(cloud)
        raw = {"cold": [asdict(each) for each in cold], "warm": [asdict(each) for each in warm]}
        raw |= {"without bytecode": [asdict(each) for each in compiling]}
        results.keep("deployment", raw | {"by hand": manual})


def _row(way: str, taken: list[with_portcall.Deployment]) -> str:
    return f"| {way} | {spread([each.whole for each in taken])} | {spread([each.own for each in taken])} |"


def _without_bytecode(cloud: BenchCloud, rounds: int) -> list[with_portcall.Deployment]:
    """Deployments with every Lambda cold, and nothing compiled beforehand: AWS keeps no bytecode."""
    cloud.forget_bytecode()
    taken = []
    for _ in range(rounds):
        cloud.kill_lambdas()
        taken.append(with_portcall.deploy(cloud))
    return taken


if __name__ == "__main__":
    main()
