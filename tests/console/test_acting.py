"""The page's actions on apps, and why an action is not possible."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from portcall.console import acting
from portcall.console.source import Source
from portcall.core.trouble import Exit, Trouble
from tests.console.conftest import Open, Serve
from tests.console.test_security import Answer, come_in
from tests.console.world import World
from tests.local.conftest import eventually


@pytest.fixture
def ledger_in_memory(ledger_table: Any) -> Any:
    """moto's, which plays STS as well: it is asked who acts."""
    return ledger_table


def ask_for(page: Page, label: str) -> None:
    """Press a button, and wait for the dialog that says what it would do."""
    page.get_by_role("button", name=label, exact=True).first.click()
    expect(page.locator("#dialog")).to_be_visible()


def test_a_rollback_says_from_what_to_what_and_asks_why(world: World, open_page: Open) -> None:
    good = world.live("flask-app", "v1", ago=7200)
    bad = world.live("flask-app", "v2")
    page = open_page("apps/flask-app")
    ask_for(page, "Roll back to this…")
    dialog = page.locator("#dialog")
    expect(dialog).to_contain_text("Roll back flask-app?")
    expect(dialog).to_contain_text(f"From v2 {bad.digest[7:14]}", use_inner_text=True)
    expect(dialog).to_contain_text(f"To v1 {good.digest[7:14]}", use_inner_text=True)
    expect(dialog).to_contain_text("keeps running until the new task answers, and if the new task fails")
    expect(dialog).to_contain_text("The app is pinned until another version is pushed, or until you resume.")
    page.keyboard.type("500s on /pay")
    page.keyboard.press("Enter")
    # The workflow has not begun yet.
    expect(page.locator("h1")).to_have_text("Starting …")
    (asked,) = world.acted
    assert (asked["action"], asked["app"], asked["to"]) == ("rollback", "flask-app", good.deployment)
    assert asked["reason"] == "500s on /pay"
    assert asked["by"].startswith("arn:aws:")


def test_a_dialog_that_is_cancelled_does_nothing(world: World, open_page: Open) -> None:
    world.live("flask-app")
    page = open_page("apps/flask-app")
    ask_for(page, "Restart…")
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()
    ask_for(page, "Stop…")
    expect(page.locator("#dialog")).to_contain_text("Pushes are recorded but not deployed until you start it.")
    page.get_by_role("link", name="Cancel").click()
    expect(page.locator("#dialog")).to_be_hidden()
    assert world.acted == []
    expect(page.locator("h1")).to_contain_text("flask-app")


def test_an_app_that_is_stopped_can_be_started(world: World, open_page: Open) -> None:
    world.live("flask-app", gave_up_reason="It was stopped by hand.", gave_up_at=int(world.now))
    page = open_page("apps/flask-app")
    expect(page.locator("#do-stop small")).to_have_text("It is stopped.")
    ask_for(page, "Start…")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("h1")).to_have_text("Starting …")
    assert world.acted[0]["action"] == "start"


def test_an_unsupported_action_is_disabled_and_visibly_says_why(world: World, open_page: Open) -> None:
    world.live("flask-app")
    world.actions = ["deploy", "restart"]
    page = open_page("apps/flask-app")
    said = {"stop": "This install does not support it yet. Upgrade the stack.", "rollback": "This install does"}
    for action, why in said.items():
        expect(page.locator(f"#do-{action} button")).to_be_disabled()
        expect(page.locator(f"#do-{action} small")).to_contain_text(why)
        expect(page.locator(f"#do-{action} small")).to_be_visible()
    expect(page.locator("#do-restart button")).to_be_enabled()
    expect(page.locator("#history")).to_contain_text("Serves now")


def test_a_refusal_of_the_install_is_said_before_and_after_one_agrees(world: World, open_page: Open) -> None:
    world.live("flask-app", "v1", ago=7200)
    world.live("flask-app", "v2")
    page = open_page("apps/flask-app")
    ask_for(page, "Restart…")
    world.refusal = "The image is not in ECR any more."
    page.get_by_role("button", name="Restart", exact=True).click()
    expect(page.locator(".trouble").first).to_contain_text("The image is not in ECR any more.")
    page.goto(page.url.partition("/act/")[0] + "/apps/flask-app")
    ask_for(page, "Roll back to this…")
    expect(page.locator("#dialog")).to_contain_text("It cannot be done. The image is not in ECR any more.")
    assert page.locator("#dialog [type=submit]").count() == 0
    assert world.acted == []


def test_who_may_not_act_reads_why(world: World, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    world.live("flask-app")

    def refuse(*_: object) -> None:
        raise Trouble(
            "ann may not call lambda:InvokeFunction. Have OperatorPolicyArn attached.", Exit.NOT_ALLOWED
        )

    monkeypatch.setattr("portcall.core.operating.invoke", refuse)
    page = open_page("apps/flask-app")
    # Said once, below the buttons, and for a screen reader at each.
    why = "ann may not call lambda:InvokeFunction. Have OperatorPolicyArn attached."
    expect(page.locator("#why-none")).to_have_text(why)
    expect(page.get_by_text(why)).to_have_count(1)
    for button in page.locator(".actions button").all():
        expect(button).to_be_disabled()
        expect(button).to_have_accessible_description(why)
    expect(page.locator("h1")).to_contain_text("live")


def test_who_is_allowed_meanwhile_may_act_without_a_new_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "ASK_AGAIN_SECONDS", 0.0)
    operator = acting.Operator(Source({}, world.choose), read_only=False)
    invoke = world.invoke

    def refuse(*_: object) -> None:
        raise Trouble("ann may not call lambda:InvokeFunction.", Exit.NOT_ALLOWED)

    monkeypatch.setattr("portcall.core.operating.invoke", refuse)
    assert operator.offer().why_none == acting.ASKING
    eventually(lambda: operator.offer().why_none == "ann may not call lambda:InvokeFunction.", every=0.05)
    monkeypatch.setattr("portcall.core.operating.invoke", invoke)
    eventually(lambda: "rollback" in operator.offer().actions, every=0.05)


def test_a_read_only_page_has_no_buttons(world: World, serve: Serve) -> None:
    world.live("flask-app")
    door = serve(read_only=True)
    cookie = come_in(door)
    page = Answer(door, f"{door.prefix}/apps/flask-app", Cookie=cookie)
    assert (page.status, "read-only" in page.text, "Restart" in page.text) == (200, True, False)
    assert Answer(door, f"{door.prefix}/act/restart?app=flask-app", Cookie=cookie).status == 404


@pytest.mark.parametrize(
    "form",
    ["app=flask-app", "app=flask-app&request=x", f"app=flask-app&request={'a' * 32}&reason={'a' * 501}"],
)
def test_a_form_that_is_none_of_the_page_s_is_refused(world: World, serve: Serve, form: str) -> None:
    world.live("flask-app")
    door = serve()
    cookie = come_in(door)
    own = {"Sec_Fetch_Site": "same-origin", "Content_Type": "application/x-www-form-urlencoded"}
    path = f"{door.prefix}/act/restart"
    assert Answer(door, path, "POST", form.encode(), Cookie=cookie, **own).status == 400
    assert (
        Answer(
            door, f"{door.prefix}/act/eat", "POST", f"request={'a' * 32}".encode(), Cookie=cookie, **own
        ).status
        == 400
    )
    assert world.acted == []
