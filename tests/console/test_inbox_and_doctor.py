"""The page with the embedded cloud's mails, and the page with `doctor`'s findings."""

import pytest
from playwright.sync_api import expect

from localcloud.inbox import Received
from portcall.console import checkup, inbox
from portcall.core.doctor.judgement import Finding, failed, ok, unknown, warning
from tests.console.conftest import Open
from tests.console.world import World


def mail(number: int, text: str) -> Received:
    return Received(
        f"mail-{number}",
        f"2026-11-26T02:0{number}:00+00:00",
        "Portcall <no-reply@sns.amazonaws.com>",
        "you@example.com",
        f"flask-app {number} is live",
        text,
        {},
    )


def test_mails_come_in_the_newest_first(world: World, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    mails = [
        mail(1, "http://203.0.113.1:3000/\n\nIt is live."),
        mail(2, "<script>alert(1)</script>\njavascript:alert(1)"),
    ]
    monkeypatch.setattr(inbox, "read", lambda _: mails)
    world.embedded = True
    page = open_page("inbox")
    expect(page.locator(".mail")).to_have_count(2)
    expect(page.locator(".mail").first).to_contain_text("<script>alert(1)</script>")
    assert page.locator(".mail a").count() == 1
    mails.append(mail(3, "Hello"))
    expect(page.locator(".mail").first).to_contain_text("flask-app 3 is live")


def test_an_account_has_no_inbox_here(world: World, open_page: Open) -> None:
    page = open_page()
    assert page.get_by_role("link", name="Inbox").count() == 0
    page.goto(page.url + "inbox")
    expect(page.locator("body")).to_contain_text("For an install in AWS, the emails are in your own inbox.")


def test_the_doctor_says_what_is_wrong_first_and_what_to_do(
    world: World, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        Finding("this machine", "Docker", ok("It answers.")),
        Finding("the install", "stack", ok("It is there.")),
        Finding("the install", "sweep", warning("It is late.", "Wait.")),
        Finding("the install", "mails", failed("Nobody has confirmed.", "Click the link in AWS's mail.")),
        Finding("the install", "quota", unknown("It may not be seen.")),
    ]
    monkeypatch.setattr(checkup.checkup, "examine", lambda *_: found)
    page = open_page("doctor")
    expect(page.locator("#page")).to_contain_text("1 failed, 1 warning, 1 unknown, 2 ok.")
    checks = page.locator("h2:has-text('the install') + ul li")
    expect(checks.first).to_contain_text("mails failed: Nobody has confirmed.")
    expect(checks.first).to_contain_text("→ Click the link in AWS's mail.")
