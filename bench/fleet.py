"""A model of many apps over many accounts and regions: `python -m bench.fleet --apps 100000`.

One install of Portcall in one region of one account is a cell. Prints what caps the apps of a cell, how many
cells there are to be, and what they cost a month. What a deployment and a sweep ask of AWS is not assumed but
counted, in simulated time; the rest is arithmetic on bench/quotas.py and bench/prices.py.
"""

import argparse
import math
from dataclasses import dataclass
from typing import Any

from bench import drain, prices, quotas, results, sweep
from bench.drain import Burst
from bench.throttling import COLD_START
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
    """How many apps of a cell something allows, and what can be done about it."""

    what: str
    apps: int
    remedy: str


def caps(swept: dict[str, int]) -> list[Cap]:
    """What caps the apps of a cell, by default, the lowest first; `swept` is from `sweep.reach`."""
    # A new version runs beside the old one for a moment: all apps may change hands at once.
    versions = 2
    found = [
        Cap(
            "Fargate vCPUs", int(quotas.VCPUS / quotas.APP_VCPUS / versions), "ask for 500 vCPUs for 1,000 apps"
        ),
        Cap("MaxApps", MAX_APPS, "raise it in template.yaml, up to what follows"),
        Cap("HTTP APIs, with StableUrl", HTTP_APIS, "ask for more"),
        Cap("the item that holds the slots", ITEM // LONGEST_NAME, "an item for each slot"),
        Cap("network interfaces", quotas.NETWORK_INTERFACES // versions, "ask for more"),
        Cap("security groups", quotas.SECURITY_GROUPS, "only of apps with no port or several"),
        Cap("addresses of two subnets", 2 * quotas.SUBNET_ADDRESSES // versions, "a subnet more"),
        Cap("the time of one sweep", min(swept.values()), "the next one goes on: ten minutes, not five"),
        Cap("listing the repositories", swept["repositories that can be listed at all"], "a sweep in parts"),
        Cap("repositories", quotas.REPOSITORIES, "ask for more"),
    ]
    return sorted(found, key=lambda each: each.apps)


def deployment_cost(counted: dict[str, Any]) -> float:
    """What a deployment costs, in dollars, with every function cold. `counted` is what `drain.play` says."""
    calls: dict[str, int] = counted["calls"]
    seconds = (
        counted["invocations"] * COLD_START + sum(calls.values()) * drain.A_CALL + calls["app.ask"] * ANSWERS
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


def month(apps: int, cell: int, a_day: float, deployment: float, swept: sweep.Line) -> dict[str, float]:
    """What so many apps cost a month, in dollars, where each is deployed so often a day."""
    return {
        "the apps themselves": apps * prices.SMALLEST_APP_MONTH,
        "deployments": apps * a_day * DAYS * deployment,
        "sweeps": cells(apps, cell) * swept.constant + apps * swept.each,
    }


def cells(apps: int, cell: int) -> int:
    """How many cells so many apps need."""
    return math.ceil(apps / cell)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apps", type=int, default=100_000)
    parser.add_argument("--cell", type=int, default=CELL)
    parser.add_argument("--deployments-a-day", type=float, default=1.0)
    asked = parser.parse_args()
    aws.A_CALL, aws.STARTS = drain.A_CALL, drain.STARTS  # type: ignore[attr-defined]
    with stage():
        one = drain.play(Burst(1, 1))
        rows = [sweep.measure(1), sweep.measure(100)]
    swept = sweep.line([(row["apps"], sweep.cost(row["well"]["calls"], sweep.INTERVALS[0])) for row in rows])
    deployment = deployment_cost(one)
    costs = month(asked.apps, asked.cell, asked.deployments_a_day, deployment, swept)
    capped = caps(sweep.reach(rows))
    print("| what caps the apps of a cell | apps | what to do |\n|---|---|---|")
    for cap in capped:
        print(f"| {cap.what} | {cap.apps:,} | {cap.remedy} |")
    number = cells(asked.apps, asked.cell)
    print(f"\n{asked.apps:,} apps: {number:,} cells of {asked.cell:,}\n\n| a month | USD |\n|---|---|")
    for what, dollars in costs.items():
        print(f"| {what} | {dollars:,.0f} |")
    took = Burst(asked.cell, asked.cell).quota_seconds() + one["drained"]
    print(f"\nA deployment: ${1000 * deployment:.3f} per 1,000.")
    print(f"All apps pushed at once: at least {took:.0f} s, in each cell by itself.")
    kept = {"apps": asked.apps, "cell": asked.cell, "cells": number, "month": costs, "deployment": deployment}
    results.keep("fleet", kept | {"caps": {each.what: each.apps for each in capped}, "counted": one["calls"]})


if __name__ == "__main__":
    main()
