"""What the pages show."""

from playwright.sync_api import expect

from tests.console.conftest import Open
from tests.console.world import World


def test_what_is_wrong_comes_first(world: World, open_page: Open) -> None:
    world.live("flask-app")
    world.live("blog", ago=7200)
    world.fail("blog", "v2")
    page = open_page()
    expect(page.locator("h1")).to_have_text("1 of 2 apps needs a look")
    rows = page.locator("#apps tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("blog")
    expect(rows.nth(0)).to_contain_text("exit code 1")
    expect(rows.nth(1)).to_contain_text("http://203.0.113.1:3000/")
    expect(page).to_have_title("(1) Apps · Portcall")
