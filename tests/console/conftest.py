"""The page of an install in memory, in a real Chromium."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from deployer.aws import logs, step_functions
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from portcall.console.security import Door
from portcall.console.server import serving
from portcall.console.source import Source
from portcall.core import operating, target
from tests.console.world import World
from tests.e2e.browser import QUIET, headless_shell

Serve = Callable[..., Door]
Open = Callable[..., Page]
# Seconds; enough for a busy machine.
WITHIN = 20


@pytest.fixture
def world(ledger_in_memory: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """An install with an empty ledger."""
    made = World(now=time.time())
    monkeypatch.setattr(step_functions, "history", made.history)
    monkeypatch.setattr(logs, "tail", made.tail)
    monkeypatch.setattr(logs, "newer", made.newer)
    monkeypatch.setattr(operating, "invoke", made.invoke)
    # One client for all tests of a file: a session and a client take a third of a second.
    monkeypatch.setattr(target, "use", lambda *_: None)
    return made


@pytest.fixture
def serve(world: World) -> Iterator[Serve]:
    """Start the page; each call is another run of `portcall console`."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(serving(Source({}, world.choose), **options))


@pytest.fixture
def door(serve: Serve) -> Door:
    """The running page."""
    return serve()


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian's Chromium."""
    return headless_shell(tmp_path_factory.mktemp("chromium"))


@pytest.fixture(scope="session")
def browser(program: str) -> Iterator[Browser]:
    """One browser for all tests."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield running
        running.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser context without cookies."""
    made = browser.new_context()
    made.set_default_timeout(WITHIN * 1000)
    expect.set_options(timeout=WITHIN * 1000)
    yield made
    made.close()


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """The browser's errors in our pages, including the content security policy; there must be none."""
    found: list[str] = []
    yield found
    assert [each for each in found if "Failed to load resource" not in each] == []


_goto = Page.goto


def is_dockers(error: Error) -> bool:
    """Whether Docker started a container while a page was loaded: for Chromium, the network has changed.

    Its own page about that may come before Playwright gets the error.
    """
    return "ERR_NETWORK_CHANGED" in str(error) or "chrome-error://" in str(error)


def _load(page: Page, url: str, **options: Any) -> Any:
    for pause in (200, 500, 1000, 2000):
        try:
            return _goto(page, url, **options)
        except Error as error:
            if not is_dockers(error):
                raise
        # Until Chromium shows its own page: that would interrupt the next attempt.
        page.wait_for_timeout(pause)
    return _goto(page, url, **options)


@pytest.fixture(autouse=True)
def _docker_changes_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Page, "goto", _load)


@pytest.fixture
def open_page(door: Door, context: BrowserContext, faults: list[str]) -> Open:
    """A tab at a page, e.g. `open_page("apps/flask-app")`; the first one comes by the link."""
    pages: list[Page] = []

    def opened(path: str = "") -> Page:
        page = context.new_page()
        page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        here = f"http://127.0.0.1:{door.port}{door.prefix}/"
        if not pages:
            try:
                _goto(page, door.link)
                page.wait_for_url(here)
            except Error as error:
                # The link is good for one visit.
                if not is_dockers(error):
                    raise
                page.goto(here)
        pages.append(page)
        if path or len(pages) > 1:
            page.goto(here + path)
        return page

    return opened
