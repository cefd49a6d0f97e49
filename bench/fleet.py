"""A model of many apps over many accounts and regions: `python -m bench.fleet --apps 100000`.

One install of Portcall in one region of one account is a cell. Prints what caps the apps of a cell, how many
cells there are to be, and what they cost a month. What a deployment and a sweep ask of AWS is not assumed but
counted, in simulated time; the rest is arithmetic on the quotas and prices of bench/rates_and_prices/.
"""

import argparse
import math
from dataclasses import asdict, dataclass
from typing import Any

from bench.rates_and_prices import prices, quotas
from bench.reporting import results
from bench.simulated import bursts, sweeps
from bench.simulated.bursts import Burst
from bench.simulated.throttling import COLD_START
from tests.explorer import aws
from tests.explorer.game import stage

# Apps of a cell: a burst of all of them drains within 17 minutes, and a sweep of them takes 40 seconds.
CELL = 1000
# The largest MaxApps that template.yaml takes.
MAX_APPS = 500
# An item of DynamoDB, in bytes, and the longest name of a repository, with what DynamoDB adds.
ITEM, LONGEST_NAME = 400_000, 256
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html, HTTP APIs of an account and region
HTTP_APIS = 600
DAYS = 30
# A write of a transaction counts as two, and one of ours has two items; other writes count as one.
WRITES = {"dynamodb.transact_write_items": 4, "dynamodb.put_item": 1, "dynamodb.update_item": 1}
READS = {"dynamodb.get_item": 1, "dynamodb.query": 1}
# Seconds until an app has answered twice.
ANSWERS = 1.0


@dataclass(frozen=True)
class Cap:
    """A limit on the apps of a cell, and how to raise it."""

    what: str
    apps: int
    remedy: str


def caps(swept: dict[str, int]) -> list[Cap]:
    """The limits on the apps of a cell by default, the lowest first; `swept` is from `sweeps.reach`."""
    # A new version runs beside the old one for a moment: all apps may change hands at once.
    versions = 2
    found = [
        Cap(
            "Fargate's vCPUs, 6 by default, with two versions of each app for a moment",
            int(quotas.VCPUS / quotas.APP_VCPUS / versions),
            "request 500 vCPUs for 1,000 apps",
        ),
        Cap("`MaxApps` in `template.yaml`", MAX_APPS, "raise its largest value, up to what follows"),
        Cap("HTTP APIs, with `StableUrl`", HTTP_APIS, "request more"),
        Cap("the ledger's item that holds the slots (400 KB)", ITEM // LONGEST_NAME, "one item per slot"),
        Cap("network interfaces of a region", quotas.NETWORK_INTERFACES // versions, "request more"),
        Cap(
            "security groups of a region",
            quotas.SECURITY_GROUPS,
            "only apps with no port, or with several, have their own; request more",
        ),
        Cap("addresses of two subnets of /20", 2 * quotas.SUBNET_ADDRESSES // versions, "a third subnet"),
        Cap("the time of one sweep", min(swept.values()), "see below"),
        Cap(
            "listing the repositories within the time of one sweep",
            swept["repositories that can be listed at all"],
            "split the sweep",
        ),
        Cap("repositories of a region", quotas.REPOSITORIES, "request more"),
    ]
    return sorted(found, key=lambda each: each.apps)


def deployment_cost(counted: dict[str, Any]) -> float:
    """What a deployment costs, in dollars, with every function cold. `counted` is what `bursts.play` says."""
    calls: dict[str, int] = counted["calls"]
    seconds = (
        counted["invocations"] * COLD_START + sum(calls.values()) * bursts.A_CALL + calls["app.ask"] * ANSWERS
    )
    dollars: float = (
        counted["transitions"] * prices.TRANSITION
        + counted["invocations"] * prices.LAMBDA_REQUEST
        + seconds * prices.MEMORY_GB * prices.LAMBDA_GB_SECOND
        + sum(calls.get(name, 0) * times for name, times in READS.items()) * prices.DYNAMODB_READ
        + sum(calls.get(name, 0) * times for name, times in WRITES.items()) * prices.DYNAMODB_WRITE
        + calls["sns.publish"] * prices.EMAIL
    )
    return dollars


def month(apps: int, cell: int, a_day: float, deployment: float, swept: sweeps.Line) -> dict[str, float]:
    """The dollars a month for this many apps, if each is deployed this often a day."""
    return {
        "the apps themselves": apps * prices.SMALLEST_APP_MONTH,
        "deployments": apps * a_day * DAYS * deployment,
        "sweeps": cells(apps, cell) * swept.constant + apps * swept.each,
    }


def cells(apps: int, cell: int) -> int:
    """The number of cells for this many apps."""
    return math.ceil(apps / cell)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apps", type=int, default=100_000)
    parser.add_argument("--cell", type=int, default=CELL)
    parser.add_argument("--deployments-a-day", type=float, default=1.0)
    asked = parser.parse_args()
    aws.A_CALL, aws.STARTS = bursts.A_CALL, bursts.STARTS  # type: ignore[attr-defined]
    with stage():
        one = bursts.play(Burst(1, 1))
        rows = [sweeps.measure(1), sweeps.measure(100)]
    swept = sweeps.line([(row["apps"], sweeps.cost(row["well"]["calls"], sweeps.INTERVALS[0])) for row in rows])
    deployment = deployment_cost(one)
    costs = month(asked.apps, asked.cell, asked.deployments_a_day, deployment, swept)
    capped = caps(sweeps.reach(rows))
    for cap in capped:
        print(f"{cap.apps:>8,} apps: {cap.what}; {cap.remedy}")
    number = cells(asked.apps, asked.cell)
    print(f"\n{asked.apps:,} apps: {number:,} cells of {asked.cell:,}")
    for what, dollars in costs.items():
        print(f"{dollars:>12,.0f} USD a month: {what}")
    took = Burst(asked.cell, asked.cell).quota_seconds() + one["drained"]
    print(f"\nA deployment: ${1000 * deployment:.3f} per 1,000.")
    print(f"All apps pushed at once: at least {took:.0f} s, in each cell by itself.")
    kept = {"apps": asked.apps, "cell": asked.cell, "cells": number, "month": costs, "deployment": deployment}
    results.keep("fleet", kept | {"caps": [asdict(each) for each in capped], "counted": one["calls"]})


if __name__ == "__main__":
    main()
