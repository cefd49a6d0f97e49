"""Accessibility of the page: screen readers, keyboards, small windows, large type, dark mode."""

from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Page, expect

from portcall.console.security import Door
from tests.console.conftest import Open
from tests.console.test_security import HOSTILE
from tests.console.world import FAILED_LOG, World, event

pytestmark = pytest.mark.long(25)

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SERIOUS = ("serious", "critical")


@pytest.fixture
def busy_world(world: World) -> World:
    """Some of everything."""
    world.live("flask-app", "v1", ago=9000)
    world.live("flask-app", "v2")
    world.live("blog", "v11", ago=9000)
    world.fail("blog", "v12")
    world.live("worker", gave_up_reason="It crashed 3 times in 10 minutes.", gave_up_at=int(world.now))
    for name in HOSTILE:
        world.live(name)
    push, _ = world.push("shop", "v7", ago=20)
    world.goes(push, event("TaskStateEntered", world.now - 10, "ReadImage"))
    world.log_of(world.live("logging")).extend([*FAILED_LOG, "x" * 500])
    return world


def paths(page: Page, world: World) -> list[str]:
    failed = next(each for each in world.pushes if each.tag == "v12")
    going = next(each for each in world.pushes if each.tag == "v7")
    return [
        "",
        "apps/flask-app",
        "apps/blog",
        f"deployments/{failed.deployment}?app=blog",
        f"deployments/{going.deployment}?app=shop",
        "logs/logging",
        "act/rollback?app=flask-app",
        "apps/there-is-none",
    ]


def findings(page: Page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)["violations"]
    return [
        f"{page.url} {each['id']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_keeps_anybody_out(busy_world: World, door: Door, browser: Browser, theme: str) -> None:
    context = browser.new_context(color_scheme=theme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(door.link)
    page.wait_for_url(f"**{door.prefix}/")
    found = []
    for path in paths(page, busy_world):
        page.goto(f"http://127.0.0.1:{door.port}{door.prefix}/{path}")
        page.locator("main h1, .trouble:not([hidden])").first.wait_for()
        found += findings(page)
    page.goto(f"http://127.0.0.1:{door.port}{door.prefix}/apps/flask-app")
    page.get_by_role("button", name="Restart…").click()
    page.locator("#act").wait_for()
    found += findings(page)
    context.close()
    assert found == []


@pytest.mark.parametrize(("width", "zoom"), [(320, 1), (390, 1), (1280, 2), (2560, 1)])
def test_nothing_has_to_be_scrolled_sideways(
    busy_world: World, door: Door, browser: Browser, width: int, zoom: int
) -> None:
    """At 200 % a page has half of the window's pixels."""
    context = browser.new_context(
        viewport={"width": width // zoom, "height": 800 // zoom}, device_scale_factor=zoom
    )
    page = context.new_page()
    page.goto(door.link)
    page.wait_for_url(f"**{door.prefix}/")
    for path in paths(page, busy_world):
        page.goto(f"http://127.0.0.1:{door.port}{door.prefix}/{path}")
        page.locator("main h1, .trouble:not([hidden])").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    context.close()


def test_everything_can_be_done_with_the_keyboard(busy_world: World, open_page: Open) -> None:
    page = open_page()
    expect(page.locator("#apps tbody tr").first).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator("#apps [data-row]").first).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("#apps [data-row]").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("worker")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    start = page.get_by_role("button", name="Start…")
    start.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#dialog")).to_be_visible()
    expect(page.locator("[name=reason]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()
    expect(start).to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page.locator("#apps")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#view")).to_be_focused()


def test_focus_outlasts_a_change(world: World, open_page: Open) -> None:
    world.live("flask-app")
    world.live("blog")
    page = open_page()
    row = page.locator("#apps [data-row]", has_text="flask-app")
    row.focus()
    world.fail("flask-app", "v2")
    expect(page.locator("#apps tbody tr").first).to_contain_text("failed")
    expect(row).to_be_focused()


def test_a_new_failure_is_announced_in_a_status_message(world: World, open_page: Open) -> None:
    world.live("flask-app")
    page = open_page()
    summary = page.get_by_role("status").filter(has_text="Nothing is wrong")
    expect(summary).to_be_visible()
    world.fail("flask-app", "v2")
    expect(page.get_by_role("status").filter(has_text="1 of 1 app needs attention")).to_be_visible()


def test_nothing_moves_for_who_does_not_want_it(world: World, door: Door, browser: Browser) -> None:
    world.live("flask-app")
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(door.link)
    page.wait_for_url(f"**{door.prefix}/")
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.locator("a").first.evaluate("a => getComputedStyle(a).transitionDuration") == "0s"
    context.close()
