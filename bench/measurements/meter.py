"""Counts what a deployment uses of AWS, in the embedded cloud: calls, invocations, units, bytes of log."""

import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from bench.cloud.bench_cloud import BenchCloud
from bench.rates_and_prices.costs import Use
from bench.rates_and_prices.prices import MEMORY_GB
from bench.servers import counting, invocations
from bench.servers.counting import Call

# Nothing is called any more after so long without a call.
QUIET_SECONDS = 1.0
# The part of a CPU that Lambda gives to 1,024 MB; here a function has a whole one, once it has one.
LAMBDA_CPU = 1024 / 1769
# A log event counts 26 bytes more than its text. https://aws.amazon.com/cloudwatch/pricing/
LOG_EVENT_BYTES = 26
READS = ("GetItem", "Query", "BatchGetItem")


@dataclass(frozen=True)
class Mark:
    """A moment: how many calls and invocations there were, and the UNIX time."""

    calls: int
    invocations: int
    at: float


@dataclass(frozen=True)
class Taken:
    """`calls` by `service action`, `writes` as keys of items.

    `cpu` and `waited` are seconds of all functions: see Invocation.
    """

    calls: dict[str, int]
    writes: list[tuple[str, str]]
    invocations: int
    cpu: float
    waited: float
    log_bytes: int


class Meter:
    def __init__(self, cloud: BenchCloud) -> None:
        self._cloud = cloud
        functions = cloud.client("lambda").list_functions()["Functions"]
        self.functions = {each["FunctionName"]: each for each in functions}

    def mark(self) -> Mark:
        """Wait until nothing is called any more; return this moment."""
        self._settle()
        return Mark(len(self._calls()), len(self._invocations()), time.time())

    def since(self, mark: Mark, caller: str, inner: tuple[Call, ...] = ()) -> Taken:
        """Wait until nothing is called any more; return what `caller` has used since the mark.

        `inner` are its calls inside the cloud, which no request shows.

        The functions are Portcall's, whose caller is `role`.
        """
        self._settle()
        calls = [*inner, *(call for call in self._calls()[mark.calls :] if call.caller == caller)]
        lines = list(self._log(mark.at)) if caller == "role" else []
        invoked = self._invocations()[mark.invocations :] if caller == "role" else []
        return Taken(
            calls=dict(sorted(Counter(f"{call.service} {call.action}" for call in calls).items())),
            writes=[key for call in calls if call.action != "GetItem" for key in call.keys],
            invocations=len(invoked),
            cpu=sum(each.cpu for each in invoked),
            waited=sum(each.waited for each in invoked),
            log_bytes=sum(len(line.encode()) + LOG_EVENT_BYTES for line in lines),
        )

    def use(self, taken: Taken, transitions: int = 0) -> Use:
        """What AWS would bill: one unit for a read, one for each KB of a write, twice that if it is listed."""
        calls = Counter(taken.calls)
        units = self._write_units()
        # A transaction's writes count twice, and those here have two at most.
        transactions = calls["dynamodb TransactWriteItems"] * 2
        publishes = calls["sns Publish"] + calls["sns publish"]
        return Use(
            transitions=transitions,
            invocations=taken.invocations,
            gb_seconds=(taken.cpu / LAMBDA_CPU + taken.waited) * MEMORY_GB,
            write_units=sum(units.get(key, 1) for key in taken.writes) + transactions,
            read_units=sum(calls[f"dynamodb {name}"] for name in READS),
            publishes=publishes,
            emails=publishes,
            events=calls["events PutEvents"],
            log_bytes=taken.log_bytes,
        )

    def _settle(self) -> None:
        """Wait until no function and no command calls anything any more."""
        calls, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET_SECONDS:
            found = sum(1 for call in self._calls() if call.caller)
            if found != calls:
                calls, since = found, time.monotonic()
            time.sleep(0.1)

    def _calls(self) -> list[Call]:
        return counting.read(self._cloud.settings.state_dir)

    def _invocations(self) -> list[invocations.Invocation]:
        return invocations.read(self._cloud.settings.state_dir)

    def _log(self, since: float) -> Iterator[str]:
        group = next(iter(self.functions.values()))["LoggingConfig"]["LogGroup"]
        pages = self._cloud.client("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=group, startTime=int(since * 1000)):
            for event in page["events"]:
                yield event["message"]

    def _write_units(self) -> dict[tuple[str, str], int]:
        tables = {each["Environment"]["Variables"].get("LEDGER_TABLE") for each in self.functions.values()}
        (table,) = tables - {None}
        pages = self._cloud.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        units = {}
        for item in (item for page in pages for item in page["Items"]):
            size = sum(len(name) + len(str(next(iter(value.values())))) for name, value in item.items())
            units[item["pk"]["S"], item["sk"]["S"]] = math.ceil(size / 1024) * (2 if "listed" in item else 1)
        return units
