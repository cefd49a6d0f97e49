"""An app's log on the page: live, searchable, limited, and it does not scroll away from the reader."""

import pytest
from playwright.sync_api import Page, expect

from portcall.console import logs
from tests.console.conftest import Open
from tests.console.world import World
from tests.local.conftest import eventually

pytestmark = pytest.mark.long(30)

# So that a test can let lines arrive at a moment of its choice.
KEEPS_ITS_EVENTS = """
const Native = EventSource;
window.EventSource = class extends Native { constructor(...of) { super(...of); window.events = this; } };
"""
IS_AT_END = "log => log.scrollHeight - log.scrollTop - log.clientHeight < 4"


def lines(page: Page) -> int:
    return page.locator("#log > div").count()


def test_the_log_follows_new_lines_and_continues_with_the_next_version(world: World, open_page: Open) -> None:
    written = world.log_of(world.live("flask-app", "v1"))
    written += [f"line {number}" for number in range(200)]
    page = open_page("logs/flask-app")
    log = page.locator("#log")
    expect(log).to_contain_text("line 199")
    written.append("one more")
    expect(log).to_contain_text("one more")
    assert log.evaluate(IS_AT_END)
    new = world.live("flask-app", "v2", ago=10)
    world.log_of(new).append("I am the new one")
    expect(log).to_contain_text("I am the new one")
    expect(page.locator("#log-version")).to_contain_text("v2")
    expect(log.locator(".rule")).to_contain_text("v2")


def test_who_reads_above_is_left_there_and_sees_how_many_lines_are_new(world: World, open_page: Open) -> None:
    written = world.log_of(world.live("flask-app"))
    written += [f"line {number}" for number in range(200)]
    page = open_page("logs/flask-app")
    log = page.locator("#log")
    expect(log).to_contain_text("line 199")
    log.evaluate("log => { log.scrollTop = 100 }")
    expect(page.locator("#log-follow")).not_to_be_checked()
    written += ["new 1", "new 2"]
    fresh = page.locator("#log-new")
    expect(fresh).to_have_text("2 new lines")
    assert log.evaluate("log => log.scrollTop") == 100
    fresh.click()
    expect(log).to_contain_text("new 2")
    expect(fresh).to_be_hidden()
    assert log.evaluate(IS_AT_END)
    expect(page.locator("#log-follow")).to_be_checked()


def test_lines_that_arrive_with_a_scroll_do_not_move_what_one_scrolled_to(
    world: World, open_page: Open
) -> None:
    written = world.log_of(world.live("flask-app"))
    written += [f"line {number}" for number in range(200)]
    page = open_page("logs/flask-app")
    page.add_init_script(KEEPS_ITS_EVENTS)
    page.reload()
    log = page.locator("#log")
    expect(log).to_contain_text("line 199")
    lines = "events.onmessage({data: JSON.stringify({lines: ['new 1']})})"
    page.evaluate(f"() => {{ log.scrollTop = 100; {lines} }}")
    expect(page.locator("#log-new")).to_have_text("1 new line")
    expect(page.locator("#log-follow")).not_to_be_checked()
    assert log.evaluate("log => log.scrollTop") == 100


def test_selected_text_stays_selected_when_a_new_line_arrives(world: World, open_page: Open) -> None:
    written = world.log_of(world.live("flask-app"))
    written += ["first", "second"]
    page = open_page("logs/flask-app")
    expect(page.locator("#log")).to_contain_text("second")
    page.wait_for_timeout(1200)
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#log > div'))")
    written.append("third")
    expect(page.locator("#log-new")).to_have_text("1 new line")
    assert page.evaluate("String(getSelection())").strip() == "first"


def test_a_log_of_a_million_lines_is_a_thousand_on_the_page(world: World, open_page: Open) -> None:
    written = world.log_of(world.live("flask-app"))
    written += [f"line {number}" for number in range(1_000_000)]
    page = open_page("logs/flask-app?lines=1000")
    expect(page.locator("#log")).to_contain_text("line 999999")
    assert lines(page) == logs.MOST_LINES
    written += [f"more {number}" for number in range(5000)]
    expect(page.locator("#log")).to_contain_text("more 4999")
    assert lines(page) == logs.MOST_LINES


def test_only_what_was_written_since_is_shown(world: World, open_page: Open) -> None:
    written = world.log_of(world.live("flask-app"))
    written += [f"old {number}" for number in range(500)]
    world.old = 500
    page = open_page("logs/flask-app")
    expect(page.locator("#log")).to_contain_text("old 499")
    page.get_by_role("link", name="15 min").click()
    expect(page.locator("nav [aria-current=true]")).to_have_text("15 min")
    expect(page.locator("#log-version")).to_contain_text("latest")
    assert lines(page) == 0
    shown = page.locator("#log").evaluate("each => getComputedStyle(each, '::before').content")
    assert shown == '"Nothing was written in the last 15 min."'
    written += [f"new {number}" for number in range(3)]
    expect(page.locator("#log > div")).to_have_text(["new 0", "new 1", "new 2"])
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download").click()
    assert taken.value.path().read_text().splitlines() == ["new 0", "new 1", "new 2"]
    page.get_by_role("link", name="the last lines").click()
    expect(page.locator("#log")).to_contain_text("old 499")


def test_a_log_of_a_million_lines_since_a_day_is_a_thousand_too(world: World, open_page: Open) -> None:
    world.log_of(world.live("flask-app")).extend(f"line {number}" for number in range(1_000_000))
    page = open_page("logs/flask-app?since=1+day")
    expect(page.locator("#log")).to_contain_text("line 999999")
    assert lines(page) == logs.MOST_LINES


def test_lines_are_searched(world: World, open_page: Open) -> None:
    written = world.log_of(world.live("flask-app"))
    written += ["GET /", "ERROR no database", "GET /greet"]
    page = open_page("logs/flask-app")
    expect(page.locator("#log")).to_contain_text("GET /greet")
    page.keyboard.press("/")
    page.keyboard.type("error")
    expect(page.locator("#log > div:visible")).to_have_text(["ERROR no database"])
    expect(page.locator("#log-count")).to_have_text("1 of 3")
    written += ["another error", "GET /again"]
    expect(page.locator("#log > div:visible")).to_have_text(["ERROR no database", "another error"])


def test_hostile_lines_are_text(world: World, open_page: Open) -> None:
    written = world.log_of(world.live("flask-app"))
    written += [
        "<img src=x onerror=alert(1)>",
        "\x1b[2J\x1b]0;owned\x07gone\u202e",
        "</script><script>alert(2)</script>",
    ]
    page = open_page("logs/flask-app")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    expect(page.locator("#log > div")).to_have_count(3)
    written.append("<b>bold</b>\x1b[31mred")
    expect(page.locator("#log > div").last).to_have_text("<b>bold</b>red")
    expect(page.locator("#log > div").nth(1)).to_have_text("gone\ufffd")
    assert page.locator("#log img, #log b, #log script").count() == 0
    assert dialogs == []


def test_the_log_of_what_failed_is_reported_and_an_app_without_one_says_so(
    world: World, open_page: Open
) -> None:
    world.live("flask-app", "v1")
    failed = world.fail(
        "flask-app", "v2", task="arn:aws:ecs:eu-west-1:111122223333:task/portcall/" + f"{2:032x}"
    )
    world.log_of(failed).append("it broke")
    page = open_page("logs/flask-app")
    expect(page.locator("#log-version")).to_contain_text("which failed")
    expect(page.locator("#log")).to_contain_text("it broke")
    world.push("new-app")
    page.goto(page.url.replace("flask-app", "new-app"))
    expect(page.locator("#log-version")).to_have_text("No task was started, so there is no log.")


def test_a_log_can_be_taken_along(world: World, open_page: Open) -> None:
    written = world.log_of(world.live("flask-app"))
    written += [f"line {number}" for number in range(2000)]
    page = open_page("logs/flask-app")
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download").click()
    assert taken.value.path().read_text().splitlines() == written


def test_a_log_that_slept_is_whole_when_it_wakes(world: World, open_page: Open) -> None:
    from tests.console.test_live import HIDE

    written = world.log_of(world.live("flask-app"))
    written.append("before")
    page = open_page("logs/flask-app")
    expect(page.locator("#log")).to_contain_text("before")
    page.evaluate(HIDE, True)
    page.wait_for_timeout(1500)
    written.append("meanwhile")
    page.wait_for_timeout(1500)
    assert "meanwhile" not in page.locator("#log").inner_text()
    page.evaluate(HIDE, False)
    eventually(lambda: page.locator("#log").inner_text() == "before\nmeanwhile", within=20, every=0.2)
