"""Measures how much time it saves that EventBridge wakes the steps: `python -m bench.waking [ROUNDS]`.

Each round has a cold deployment with the two rules disabled, and one with them enabled, in the same cloud.
"""

import statistics
import sys
from dataclasses import asdict

from bench.cloud.bench_cloud import BenchCloud
from bench.reporting import results
from bench.ways import with_portcall

ROUNDS = 5
RULES = ("WakeOnPush", "WakeOnTaskStart")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    found: dict[str, list[with_portcall.Deployment]] = {"not woken": [], "woken": []}
    with BenchCloud() as cloud:
        events = cloud.client("events")
        rules = [
            each["Name"] for each in events.list_rules()["Rules"] if any(rule in each["Name"] for rule in RULES)
        ]
        with_portcall.deploy(cloud)  # the first is not counted: Docker's caches are cold
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for how, change in (("not woken", events.disable_rule), ("woken", events.enable_rule)):
                for rule in rules:
                    change(Name=rule)
                cloud.kill_lambdas()
                found[how].append(with_portcall.deploy(cloud))
    print("| every Lambda cold | total | without the container's own start |\n|---|---|---|")
    for how, deployments in found.items():
        total, own = ([getattr(each, name) for each in deployments] for name in ("whole", "own"))
        print(f"| {how} | {statistics.median(total):.2f} s | {statistics.median(own):.2f} s |")
    results.keep("waking", {how: [asdict(each) for each in deployments] for how, deployments in found.items()})


if __name__ == "__main__":
    main()
