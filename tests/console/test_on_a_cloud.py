"""The page of an embedded cloud: real pushes, a failure, a rollback, and a restart of the cloud."""

import contextlib
import functools
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import COMMANDS, FIXTURES, Portcall, base_image, portcall

pytestmark = pytest.mark.long(50)

__all__ = ["base_image", "portcall"]
# Milliseconds; what a deployment takes on a machine that has other things to do.
PATIENCE = 120_000


@contextlib.contextmanager
def console(portcall: Portcall) -> Iterator[str]:
    """`portcall console`, until the block ends; the link that it prints."""
    environment = {**os.environ, "PORTCALL_STATE_DIR": str(portcall.state_dir)}
    command = [str(COMMANDS / "portcall"), "console", "--no-open", "--local"]
    # A shell's job in the background ignores SIGINT, and so does what it starts.
    listens = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=listens,
    ) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)
            try:
                assert process.wait(timeout=30) == 130
            finally:
                process.kill()


@pytest.fixture
def page(portcall: Portcall, browser: Browser) -> Iterator[Page]:
    with console(portcall) as link:
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        tab = context.new_page()
        tab.goto(link)
        tab.locator("#page").wait_for()
        yield tab
        context.close()


def act(page: Page, label: str, reason: str = "") -> None:
    """Press a button of an app's page, say why, and agree."""
    page.get_by_role("button", name=label, exact=True).first.click()
    page.locator("#dialog [name=reason]").fill(reason)
    page.locator("#dialog [type=submit]").click()
    page.locator(".steps").wait_for()


def test_pushes_are_watched_read_rolled_back_and_brought_back(portcall: Portcall, page: Page) -> None:
    apps = page.url
    first = portcall.push(FIXTURES / "plain-http", "flask-app", VERSION="1")
    # From its start until it is live, without a click.
    expect(page.locator("#under-way")).to_contain_text("flask-app")
    row = page.locator("#apps tr", has_text="flask-app")
    expect(row).to_contain_text("live")
    expect(row).to_contain_text("http://")

    portcall.push(FIXTURES / "exits-at-once", "flask-app")
    expect(row).to_contain_text("failed")
    expect(row).to_contain_text("serves")
    row.get_by_role("link", name="flask-app").click()
    page.get_by_role("link", name="Its steps").click()
    expect(page.locator(".steps .failed").first).to_be_visible()
    expect(page.locator("#page")).to_contain_text("exit")

    second = portcall.push(FIXTURES / "plain-http", "flask-app", VERSION="2")
    page.goto(f"{apps}apps/flask-app")
    expect(page.locator(".card").first).to_contain_text(second[7:14])
    act(page, "Roll back to this…", "500s on /pay")
    expect(page.locator("h1")).to_contain_text("deployed")
    page.goto(f"{apps}apps/flask-app")
    expect(page.locator(".card").first).to_contain_text(first[7:14])
    expect(page.locator(".said")).to_contain_text("Pinned")
    expect(page.locator(".said")).to_contain_text("500s on /pay")
    act(page, "Resume…")
    expect(page.locator("h1")).to_contain_text("deployed")
    page.goto(f"{apps}apps/flask-app")
    expect(page.locator(".card").first).to_contain_text(second[7:14])
    expect(page.locator("#do-resume small")).to_have_text("It is not pinned.")

    page.goto(f"{apps}logs/flask-app")
    expect(page.locator("#log")).not_to_be_empty()
    page.goto(f"{apps}inbox")
    expect(page.locator(".mail").first).to_contain_text("flask-app")
    page.goto(f"{apps}doctor")
    expect(page.locator(".checks").first).to_be_visible()


def test_a_cloud_that_is_restarted_underneath_is_found_again(portcall: Portcall, page: Page) -> None:
    expect(page.locator("h1")).to_be_visible()
    portcall.says("down")
    expect(page.locator(".trouble")).to_contain_text("The embedded cloud is not running. Start it: portcall up")
    portcall.up()
    expect(page.locator(".trouble")).to_have_count(0)
    expect(page.locator("h1")).to_have_text("No apps yet")
