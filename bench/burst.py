"""A burst of pushes with real containers in the embedded cloud: `python -m bench.burst --pushes 200 --apps 50`.

With `--within-rates`, AWS's rates are in front of the cloud (bench/servers/rate_limited.py), and Fargate's
vCPUs have their quota. Prints the figures, and what must hold at the end and does not; exits with 1 then.
bench/results/ keeps the result, with the outcome of each push.
"""

import argparse
import json
import os
import sys
import time
import urllib.request
from collections import Counter
from typing import Any

from bench.cloud.bench_cloud import BenchCloud
from bench.cloud.registry import digest_of, prepare, registry
from bench.measurements.burst_figures import ALONE, Burst, Load, measure, outcomes, violations
from bench.measurements.observed import Observed
from bench.rates_and_prices import quotas
from bench.rates_and_prices.rates import registered_by
from bench.reporting import results
from bench.simulated import bursts
from localcloud import switches

PUSHES, APPS = 200, 50
PATTERN = "bench-*"
# Seconds until every push must have its outcome.
SETTLES_WITHIN = 900.0


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, default=PUSHES)
    parser.add_argument("--apps", type=int, default=APPS)
    parser.add_argument("--within-rates", action="store_true")
    parser.add_argument("--new-account", action="store_true", help="ten functions at once")
    asked = parser.parse_args(arguments)
    through: tuple[str, ...] = ()
    model = bursts.Burst(asked.pushes, asked.apps, new_account=asked.new_account)
    if asked.within_rates:
        through = ("bench.servers.rate_limited",)
        # One app more than the burst has: that which is pushed alone.
        said = f"vcpus={model.vcpus_allowed() + quotas.APP_VCPUS}"
        if asked.new_account:
            # Two cores cannot run the 1,000 functions at once that other accounts may.
            said += f" lambda-concurrency={quotas.NEW_CONCURRENCY}"
        os.environ[switches.VARIABLE] = said
    with BenchCloud({"RepositoryName": "bench-idle", "RepositoryPattern": PATTERN}, through=through) as cloud:
        apps = [f"bench-{number:02}" for number in range(asked.apps)]
        manifests = prepare(cloud, apps, -(-asked.pushes // asked.apps))
        alone = deploy_alone(cloud)
        burst = push(cloud, manifests, asked.pushes)
        observed = Observed(cloud, burst.began)
        load = wait(observed, burst.pushes)
        figures, broken = measure(observed, burst, load), violations(observed, burst)
        kept: dict[str, Any] = figures.document() | {"alone": alone, "broken": broken}
        if asked.within_rates:
            kept |= within_rates(cloud, burst, figures.drained, alone)
        kept["pushed"] = outcomes(observed, burst)
    print(f"## A burst: {figures.pushes} pushes over {len(burst.pushed)} apps\n")
    print(figures.table())
    if asked.within_rates:
        print(
            f"\nThe quota allows {kept['quota']:.1f} + {alone:.1f} s: {kept['times the quota']:.2f} times that."
        )
        print(f"Throttled: {kept['throttled']}")
    print("\nEvery invariant holds." if not broken else "\nBROKEN:")
    for each in broken:
        print(f"- {each}")
    name = f"burst-{asked.pushes}-{asked.apps}" + "-within-rates" * asked.within_rates
    print(f"Kept in {results.keep(name + '-new-account' * asked.new_account, kept)}", file=sys.stderr)
    if broken:
        sys.exit(1)


def deploy_alone(cloud: BenchCloud) -> float:
    """The seconds of a single deployment, after a first one that is not counted: Docker's caches are cold."""
    took = 0.0
    for manifest in prepare(cloud, [ALONE], 2)[ALONE]:
        one = push(cloud, {ALONE: [manifest]}, 1)
        observed = Observed(cloud, one.began)
        wait(observed, 1)
        took = max(each["stopDate"].timestamp() for each in observed.executions()) - one.began
    # Until each bucket is full again.
    time.sleep(2 / quotas.REGISTER.per_second)
    return round(took, 1)


def push(cloud: BenchCloud, manifests: dict[str, list[bytes]], pushes: int) -> Burst:
    """Push every app's first version, then every app's second, and so on, one right after the other."""
    apps = list(manifests)
    burst = Burst(began=time.time())
    with registry(cloud) as opened:
        for number in range(pushes):
            app = apps[number % len(apps)]
            manifest = manifests[app][number // len(apps)]
            opened.put(f"/v2/{app}/manifests/latest", manifest)
            burst.pushed[app].append((time.time(), digest_of(manifest)))
    burst.accepted = time.time()
    return burst


def wait(observed: Observed, pushes: int) -> Load:
    """Wait until each push has an execution and none runs; return the load of the machine."""
    deadline = time.monotonic() + SETTLES_WITHIN
    load = Load()
    while time.monotonic() < deadline:
        ended = Counter(each["status"] for each in observed.executions())
        print(dict(ended), file=sys.stderr, flush=True)
        load.look(observed.cloud)
        if sum(ended.values()) >= pushes and not ended["RUNNING"]:
            break
        time.sleep(1)
    return load


def within_rates(cloud: BenchCloud, burst: Burst, drained: float, alone: float) -> dict[str, Any]:
    """What the quota of task definitions allows for these pushes, and which calls were throttled."""
    newest = [at - burst.began for pushed in burst.pushed.values() for at, _ in pushed[-1:]]
    quota = registered_by(newest)
    with urllib.request.urlopen(f"http://127.0.0.1:{cloud.settings.port}/_rates/") as said:
        counted: dict[str, Any] = json.load(said)
    return {
        "quota": round(quota, 1),
        "times the quota": round(drained / (quota + alone), 2),
        "throttled": counted["throttled"],
        "let through": counted["taken"],
    }


if __name__ == "__main__":
    main()
