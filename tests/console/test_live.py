"""Pages update live, and nothing is read while no page is open."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from deployer.aws import ledger
from playwright.sync_api import BrowserContext, Page, Route, expect

from portcall.console import live, pages, server
from portcall.console.live import Poller, Reading
from portcall.console.source import Source
from portcall.core.trouble import Exit, Trouble
from tests.console.conftest import Open
from tests.console.world import World, event, passed
from tests.local.conftest import eventually

pytestmark = pytest.mark.long(45)

HIDE = """hidden => {
  Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def stays(page: Page) -> Callable[[], bool]:
    """Whether the page was loaded only once."""
    page.evaluate("window.stays = true")
    return lambda: bool(page.evaluate("window.stays === true"))


def is_quiet(world: World) -> bool:
    """Whether nobody asks for a second."""
    asked = world.asked
    time.sleep(1)
    return world.asked == asked


def test_the_list_of_apps_asks_again_for_what_may_have_changed_and_now_and_then_for_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(pages, "time", SimpleNamespace(monotonic=lambda: now))
    reader = pages.AppsReader(Source({}, world.choose))
    for app in ("blog", "shop"):
        world.live(app)
        over = ledger.open_deployments(app=app)
        ledger.close(app=app, deployments=over)
    states = {each.app: each.state for each in reader.whole().apps}
    assert states == {"blog": "live", "shop": "live"}
    world.push("blog", "v2")
    # No push, so nothing in the list of apps shows it.
    seen = ledger.current(app="shop")
    assert seen
    new = dataclasses.replace(seen, gave_up_reason="It crashed 3 times in 10 minutes.", gave_up_at=1)
    assert ledger.change_current(app="shop", new=new, seen=seen)
    states = {each.app: each.state for each in reader.changed().apps}
    assert states == {"blog": "deploying", "shop": "live"}
    now += live.QUIET_EVERY
    states = {each.app: each.state for each in reader.changed().apps}
    assert states == {"blog": "deploying", "shop": "down"}


@pytest.fixture
def pollers(monkeypatch: pytest.MonkeyPatch) -> list[Poller]:
    """Those of the pages that are served."""
    made: list[Poller] = []

    def make(pulse: Callable[[], object]) -> Poller:
        made.append(Poller(pulse))
        return made[-1]

    monkeypatch.setattr(server, "Poller", make)
    return made


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> list[Reading]:
    """What the streams have read."""
    found: list[Reading] = []
    read_once = live.read_once

    def read(*given: Any) -> Reading:
        found.append(read_once(*given))
        return found[-1]

    monkeypatch.setattr(live, "read_once", read)
    return found


def test_a_push_is_seen_from_its_start_until_it_is_live(world: World, open_page: Open) -> None:
    world.live("flask-app", "v1")
    page = open_page()
    expect(page.locator("h1")).to_have_text("Nothing is wrong")
    same = stays(page)
    push, sequence = world.push("flask-app", "v2")
    world.goes(push, event("TaskStateEntered", world.now + 1, "ReadImage"))
    way = page.locator("#under-way li")
    expect(way).to_contain_text("Read the image")
    world.goes(
        push, *passed("ReadImage", world.now + 1)[1:], event("TaskStateEntered", world.now + 2, "RunTask")
    )
    expect(way).to_contain_text("Start the task")
    world.take_over(push, sequence)
    expect(way).to_have_count(0)
    expect(page.locator("#apps tbody tr")).to_contain_text("http://203.0.113.2:3000/")
    assert same()


def test_the_steps_of_a_deployment_come_one_after_the_other(world: World, open_page: Open) -> None:
    push, sequence = world.push("flask-app", "v2")
    page = open_page(f"deployments/{push.deployment}?app=flask-app")
    expect(page.locator(".steps .done")).to_have_count(1)
    expect(page.locator(".steps .ahead")).to_have_count(8)
    world.goes(push, event("TaskStateEntered", world.now + 1, "ReadImage"))
    expect(page.locator(".steps .running")).to_contain_text("Read the image")
    world.goes(push, *passed("ReadImage", world.now + 1, 0.7)[1:])
    expect(page.locator("#step-ReadImage")).to_contain_text("0.7 s")
    world.take_over(push, sequence)
    expect(page.locator("h1")).to_contain_text("deployed")
    expect(page.locator(".steps .ahead")).to_have_count(0)


def test_a_failure_is_reported_with_its_reason_and_its_log(world: World, open_page: Open) -> None:
    world.live("flask-app", "v1")
    push, _ = world.push("flask-app", "v2")
    page = open_page("apps/flask-app")
    expect(page.locator("h1")).to_contain_text("deploying")
    world.end(push)
    expect(page.locator("h1")).to_contain_text("failed")
    expect(page.locator("#page")).to_contain_text("It ended with exit code 1 before it answered. v1")
    page.get_by_role("link", name="Its steps and its log").click()
    expect(page.locator("#page")).to_contain_text("Read the last lines of the log.")
    expect(page.locator("pre.log")).to_contain_text("KeyError: 'DATABASE_URL'")


def test_a_tab_that_slept_shows_what_is_true_when_it_wakes(
    world: World, pollers: list[Poller], open_page: Open
) -> None:
    world.live("flask-app", "v0")
    page = open_page()
    # It comes with an event, so the page listens by now.
    world.live("flask-app", "v1")
    expect(page.locator("#apps")).to_contain_text("v1")
    same = stays(page)
    page.evaluate(HIDE, True)
    (poller,) = pollers
    eventually(lambda: poller.watchers == 0)
    # A poll that had started may still read.
    eventually(lambda: is_quiet(world))
    asked = world.asked
    push = world.fail("flask-app", "v2")
    world.live("blog")
    time.sleep(2.5)
    assert world.asked == asked
    expect(page.locator("#apps")).not_to_contain_text("blog")
    page.evaluate(HIDE, False)
    expect(page.locator("h1")).to_have_text("1 of 2 apps needs attention")
    expect(page.locator("#apps")).to_contain_text(push.tag)
    assert same()


def is_stream(url: str) -> bool:
    return "live=1" in url


def test_a_page_has_one_stream(world: World, context: BrowserContext, open_page: Open) -> None:
    """A browser has six connections to a server, so a second one would use up those of other tabs."""
    streams: list[str] = []
    context.on("request", lambda request: streams.append(request.url) if is_stream(request.url) else None)
    world.live("flask-app", "v1")
    page = open_page()
    world.live("flask-app", "v2")
    expect(page.locator("#apps")).to_contain_text("v2")
    assert len(streams) == 1


@pytest.mark.parametrize("script", ["htmx.min.js", "hx-sse.min.js", "console.js"])
def test_a_page_is_live_whichever_script_comes_last(
    world: World, context: BrowserContext, open_page: Open, script: str
) -> None:
    def slowly(route: Route) -> None:
        time.sleep(0.3)
        route.continue_()

    context.route(f"**/{script}", slowly)
    world.live("flask-app", "v1")
    page = open_page()
    world.live("flask-app", "v2")
    expect(page.locator("#apps")).to_contain_text("v2")


def test_a_tab_that_nobody_has_looked_at_has_no_stream(
    world: World, context: BrowserContext, pollers: list[Poller], open_page: Open
) -> None:
    context.add_init_script("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    world.live("flask-app", "v1")
    page = open_page()
    world.live("flask-app", "v2")
    time.sleep(1)
    (poller,) = pollers
    assert poller.watchers == 0
    page.evaluate(HIDE, False)
    expect(page.locator("#apps")).to_contain_text("v2")


def test_a_stream_that_does_not_open_is_said_and_opened_again(
    world: World, context: BrowserContext, open_page: Open, faults: list[str]
) -> None:
    context.route(is_stream, lambda route: route.abort())
    world.live("flask-app", "v1")
    page = open_page()
    expect(page.locator("#connection")).to_contain_text("The page does not answer.")
    world.live("flask-app", "v2")
    context.unroute(is_stream)
    expect(page.locator("#apps")).to_contain_text("v2")
    expect(page.locator("#connection")).to_be_empty()
    # htmx writes it to the browser's console, too.
    assert all("Failed to fetch" in each for each in faults if "htmx:error" in each)
    faults.clear()


def test_a_search_keeps_its_text_and_focus_when_an_app_changes(world: World, open_page: Open) -> None:
    for number in range(12):
        world.live(f"app-{number:02}")
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("app-07")
    rows = page.locator("#apps tbody tr:visible")
    expect(rows).to_have_count(1)
    world.fail("app-07", "v2")
    expect(rows).to_contain_text("failed")
    expect(rows).to_have_count(1)
    expect(page.locator("[type=search]")).to_be_focused()
    expect(page.locator("[type=search]")).to_have_value("app-07")
    page.keyboard.press("Escape")
    expect(rows).to_have_count(12)


def test_expired_credentials_are_said_and_used_again_once_they_are_renewed(
    world: World, streamed: list[Reading], open_page: Open
) -> None:
    world.live("flask-app")
    page = open_page()
    expect(page.locator("#apps")).to_contain_text("flask-app")
    # The stream already has the old content.
    eventually(lambda: streamed)
    chosen = world.chosen
    world.trouble = Trouble("The credentials of profile work have expired. Log in again.", Exit.NOT_ALLOWED)
    world.expire()
    expect(page.locator(".trouble")).to_contain_text("have expired. Log in again.")
    # The old content stays, with its time.
    expect(page.locator("#apps")).to_contain_text("flask-app")
    expect(page.locator(".trouble")).to_contain_text("The data below is from")
    world.trouble = None
    expect(page.locator(".trouble")).to_have_count(0)
    assert world.chosen > chosen


# ── The poller


class Counted:
    busy = False


@pytest.fixture
def make_poller() -> Iterator[Callable[..., Poller]]:
    made: list[Poller] = []
    yield lambda pulse: made.append(Poller(pulse)) or made[-1]
    for each in made:
        each.close()


def test_nothing_is_asked_where_nobody_looks(make_poller: Callable[..., Poller]) -> None:
    asked: list[str] = []
    poller = make_poller(lambda: asked.append("pulse"))
    time.sleep(0.1)
    assert asked == []
    page = Counted()
    with poller.watching("page", lambda: asked.append("page") or page) as next_reading:
        first = next_reading()
        assert first
        assert first.page is page
    assert poller.watchers == 0
    before = list(asked)
    time.sleep(2.2)
    # A poll that had started may have ended.
    assert len(asked) <= len(before) + 2


def test_who_comes_later_gets_the_whole_state_too_and_nothing_is_read_twice(
    make_poller: Callable[..., Poller],
) -> None:
    asked: list[int] = []
    poller = make_poller(lambda: None)
    page = Counted()
    with poller.watching("page", lambda: asked.append(1) or page) as first:
        assert first()
        with poller.watching("page", lambda: 1 / 0) as second:
            reading = second()
            assert reading
            assert reading.page is page
    assert len(asked) <= 2


def test_a_quiet_page_is_read_again_when_the_pulse_changes(
    make_poller: Callable[..., Poller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "QUIET_EVERY", 3600)
    beats, state = [0], [Counted()]
    poller = make_poller(lambda: beats[0])
    with poller.watching("page", lambda: state[0]) as next_reading:
        assert next_reading()
        state[0], beats[0] = Counted(), 1
        eventually(next_reading, every=0.01)
