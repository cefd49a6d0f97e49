"""Measures the page with 200 apps and 10,000 deployments: `python -m bench.console`."""

import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from unittest.mock import patch

from deployer.aws import ledger, ledger_keys, table
from deployer.aws.client import client
from deployer.aws.items import wire
from deployer.domain.deployment import DEPLOYED, Current
from deployer.domain.push import Push
from playwright.sync_api import Page, sync_playwright

from bench.cloud.bench_cloud import BenchCloud
from bench.cloud.browser import PROGRAM, page_of
from bench.reporting.figures import spread
from portcall.console.pages import AppsReader
from portcall.console.source import Source

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

APPS, DEPLOYMENTS, ROUNDS = 200, 10_000, 7
EACH = DEPLOYMENTS // APPS
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def main() -> None:
    """Fill the ledger of a cloud, and measure the page."""
    with (
        BenchCloud({"Email": "you@example.com", "RepositoryName": "other-app"}) as cloud,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        with page_of(cloud, browser) as page:
            table.use(cloud.outputs["LedgerTableName"])
            for app in range(APPS):
                _fill(f"team/app-{app:03}")
            print(f"## The page, with {APPS} apps and {DEPLOYMENTS:,} deployments\n")
            print("| | |\n|---|---|")
            print(f"| first paint | {spread([_paint(page) for _ in range(ROUNDS)])} |")
            apps = [f"team/app-{APPS - 1 - number:03}" for number in range(ROUNDS)]
            seen = [_seen(page, app) for app in apps]
            print(f"| from a push in the ledger to the page | {spread(seen)} |")
            browser.close()
        for what, took in _cpu(cloud).items():
            print(f"| processor: {what} | {spread(took)} |")


def _cpu(cloud: BenchCloud) -> dict[str, list[float]]:
    """Seconds of this process's CPU, which depend less on what else the machine does."""
    folder = {"PORTCALL_STATE_DIR": str(cloud.settings.state_dir)}
    with patch.dict(os.environ, folder):
        reader = AppsReader(Source({"local": True}))
        # Once before: clients are made at the first call.
        reader.whole()
        return {
            "to read all apps": [_used(reader.whole) for _ in range(ROUNDS)],
            "to read what may have changed": [_used(reader.changed) for _ in range(ROUNDS)],
        }


def _used(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _push(app: str, number: int) -> Push:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60 * number))
    return Push(f"bench-{number}", at, app, "latest", f"sha256:{number:064x}")


def _fill(app: str) -> None:
    """Write a live app with its history."""
    push = _push(app, 1)
    sequence = _admit(push)
    new = Current(
        push.deployment,
        sequence,
        "task",
        "http://203.0.113.7:3000/",
        push.digest,
        push.tag,
        "revision",
        push.time,
    )
    ledger.make_current(push=push, new=new, seen=None)
    ledger.record(push=push, outcome=DEPLOYED, url=new.url)
    ledger.mark_notified(push=push)
    # As the sweep does.
    ledger.close(app=app, deployments=ledger.open_deployments(app=app))
    for some in _batches([_old(_push(app, number)) for number in range(2, EACH + 1)]):
        client("dynamodb").batch_write_item(RequestItems={table.name(): some})


def _admit(push: Push) -> int:
    sequence = ledger.next_in_order(push=push, now=time.time()).number
    ledger.claim(push=push, execution="", sequence=sequence)
    ledger.note_in_order(push=push, sequence=sequence)
    return sequence


def _old(push: Push) -> "WriteRequestTypeDef":
    key = ledger_keys.deployment(push.app, ledger_keys.name_of_push(push))
    facts = {"tag": push.tag, "digest": push.digest, "outcome": DEPLOYED, "began_at": 1, "ended_at": 30}
    return {"PutRequest": {"Item": wire({**key, **facts})}}


def _batches(requests: list["WriteRequestTypeDef"]) -> Iterator[list["WriteRequestTypeDef"]]:
    for begin in range(0, len(requests), 25):
        yield requests[begin : begin + 25]


def _paint(page: Page) -> float:
    page.reload()
    # The page's own policy keeps Playwright from waiting for an expression.
    while not (painted := page.evaluate(PAINT)):
        page.wait_for_timeout(20)
    return float(painted) / 1000


def _seen(page: Page, app: str) -> float:
    """Seconds from the record of a push until the page shows it."""
    row = page.locator("#apps tr", has=page.get_by_role("link", name=app, exact=True))
    began = time.monotonic()
    _admit(_push(app, 0))
    row.get_by_text("deploying").wait_for()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
