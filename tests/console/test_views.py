"""The contents of the pages."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

import portcall.console
from localcloud.inbox import Received
from portcall.console import inbox
from tests.console.conftest import Open
from tests.console.world import World

pytestmark = pytest.mark.long(15)


def test_apps_that_need_attention_come_first(world: World, open_page: Open) -> None:
    world.live("flask-app")
    world.live("blog", ago=7200)
    world.fail("blog", "v2")
    page = open_page()
    expect(page.locator("h1")).to_have_text("1 of 2 apps needs attention")
    rows = page.locator("#apps tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("blog")
    expect(rows.nth(0)).to_contain_text("exit code 1")
    expect(rows.nth(1)).to_contain_text("http://203.0.113.1:3000/")
    expect(page).to_have_title("(1) Apps · Portcall")


def test_the_price_a_month_is_shown_for_each_app_and_for_all(world: World, open_page: Open) -> None:
    small = {"cpu": "256", "memory": "512", "architecture": "ARM64", "capacity": "FARGATE"}
    world.live("flask-app", image=small)
    world.live("worker", image={**small, "capacity": "FARGATE_SPOT"})
    world.live("of-old")
    page = open_page()
    expect(page.get_by_text("All apps cost about 17 USD a month")).to_be_visible()
    expect(page.get_by_text("list prices of us-east-1, November 2026")).to_be_visible()
    page.get_by_role("link", name="worker").click()
    expect(page.locator(".card").first).to_contain_text("about 5.81 USD a month")
    expect(page.locator(".card").first).to_contain_text("Spot, whose price moves")
    page.goto(page.url.replace("worker", "of-old"))
    expect(page.locator("h1")).to_contain_text("of-old")
    expect(page.locator(".card").first).not_to_contain_text("USD")


def test_each_heading_of_a_deployment_has_its_content_right_below_it(world: World, open_page: Open) -> None:
    push = world.fail("blog", "v2")
    page = open_page(f"deployments/{push.deployment}?app=blog")
    expect(page.locator("pre.log")).to_be_visible()
    for heading in page.locator("main h2").all():
        gap = heading.evaluate(
            "each => each.nextElementSibling.getBoundingClientRect().top - each.getBoundingClientRect().top"
        )
        assert gap < 60, heading.text_content()


def test_the_page_s_own_style_sheet_stays_small() -> None:
    sheet = Path(portcall.console.__file__).parent / "static/own.css"
    assert sheet.stat().st_size < 5000


@pytest.mark.parametrize("sheet", ["own.css", "vendor/pico.min.css"])
def test_without_one_of_its_style_sheets_the_page_loads_nothing_that_its_policy_forbids(
    world: World, open_page: Open, context: BrowserContext, monkeypatch: pytest.MonkeyPatch, sheet: str
) -> None:
    """Pico has its icons as `data:` URLs, which the policy refuses; the fixture `faults` sees a refusal."""
    push = world.fail("blog", "v2")
    world.embedded = True
    monkeypatch.setattr(inbox, "read", lambda _: [Received("1", "", "Portcall", "you", "It is live", "", {})])
    context.route(f"**/static/{sheet}", lambda route: route.abort())
    # One tab: each holds a connection, and Chromium has six for a host.
    page = open_page()
    home = page.url
    for path in ("", f"deployments/{push.deployment}?app=blog", "logs/blog", "inbox", "nothing"):
        page.goto(f"{home}{path}")
        expect(page.locator("h1")).to_be_visible()
        # It paints, which loads the images.
        page.screenshot()
