"""Opens the page of a BenchCloud in Debian's Chromium."""

import contextlib
import os
from collections.abc import Iterator
from unittest.mock import patch

from playwright.sync_api import Browser, Page

from bench.cloud.bench_cloud import BenchCloud
from portcall.console.server import serving
from portcall.console.source import Source

PROGRAM = "/usr/bin/chromium"


@contextlib.contextmanager
def page_of(cloud: BenchCloud, browser: Browser) -> Iterator[Page]:
    """The page with all apps."""
    folder = {"PORTCALL_STATE_DIR": str(cloud.settings.state_dir)}
    with patch.dict(os.environ, folder), serving(Source({"local": True})) as door:
        page = browser.new_page(viewport={"width": 1100, "height": 400}, device_scale_factor=1.5)
        page.goto(door.link)
        page.wait_for_url(f"**{door.prefix}/")
        yield page
        browser.close()
