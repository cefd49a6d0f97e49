"""The commands that change something: questions, output, exit codes."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from portcall.cli import acting, main, options
from portcall.core import operating
from portcall.core.trouble import Exit, Trouble
from tests.unit.test_terminal import HOSTILE, OBEYED

ANN = "arn:aws:iam::111122223333:user/ann"
OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
URL = "http://203.0.113.7:3000/"
PLAN = {
    "app": "flask-app",
    "tag": "latest",
    "digest": OLD,
    "from_tag": "latest",
    "from": NEW,
    "url": URL,
    "preview": "",
}
LIVE = {"status": "ended", "outcome": "deployed", "url": URL, "serving": URL, "reason": "", "hint": ""}
FIELDS = {
    "schema", "action", "app", "outcome", "exit_code", "deployment", "tag", "digest", "from_tag", "from", "url", "serving", "reason", "hint",
}  # fmt: skip


class Stack:
    """The function of the stack: what it was asked, and what it answers."""

    def __init__(self):
        self.asked = []
        self.ends = [LIVE]
        self.refuses = {}

    def __call__(self, target, words):  # noqa: ARG002 - of `invoke`
        self.asked.append(dict(words))
        action = words["action"]
        if action == "follow":
            return self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        if action in self.refuses:
            return {"status": "refused", **self.refuses[action]}
        if words.get("dry_run"):
            return {"status": "possible", **PLAN}
        status = {"stop": "stopped", "end": "ended"}.get(action, "started")
        return {"status": status, "deployment": f"{action}-1", **PLAN}

    @property
    def changes(self):
        return [each for each in self.asked if each["action"] != "follow" and not each.get("dry_run")]


@pytest.fixture(autouse=True)
def stack(monkeypatch):
    found = Stack()
    target = SimpleNamespace(
        name="portcall in eu-west-1, account 111122223333", stack="portcall", embedded=False, version=str
    )
    monkeypatch.setattr(options, "choose", lambda **_: target)
    monkeypatch.setattr(operating, "invoke", found)
    monkeypatch.setattr(operating, "claimed_name", lambda target: ANN)
    monkeypatch.setattr(operating.time, "sleep", lambda seconds: None)
    return found


def portcall(*words, says=""):
    return CliRunner(mix_stderr=False).invoke(main.cli, list(words), input=says)


ACTIONS = ("deploy", "rollback", "resume", "restart", "stop", "start", "end")


def sure(action):
    """The words with which a command asks nothing."""
    return [action, "flask-app", *(["--confirm", "flask-app"] if action == "end" else ["--yes"])]


@pytest.mark.parametrize("action", ACTIONS)
def test_each_asks_the_one_function_in_the_callers_name_under_an_id_of_its_own(stack, action):
    ended = portcall(*sure(action), "-m", "500s on /pay")
    assert ended.exit_code == 0, ended.stderr
    (asked,) = stack.changes
    assert (asked["action"], asked["app"], asked["by"], asked["reason"]) == (
        action,
        "flask-app",
        ANN,
        "500s on /pay",
    )
    assert len(asked["id"]) == 32
    assert ended.stderr.startswith("portcall in eu-west-1, account 111122223333\n")


@pytest.mark.parametrize("action", ["deploy", "rollback", "resume", "restart", "start"])
def test_the_result_is_the_url_and_nothing_else_is_on_stdout(action):
    assert portcall(*sure(action)).stdout == f"{URL}\n"


@pytest.mark.parametrize("action", ACTIONS)
def test_json_is_one_document_with_these_fields(action):
    ended = portcall(*sure(action), "--json")
    document = json.loads(ended.stdout)
    assert set(document) == FIELDS
    assert (document["schema"], document["action"], document["app"], document["exit_code"]) == (
        1,
        action,
        "flask-app",
        0,
    )


@pytest.mark.parametrize("action", ["rollback", "resume", "stop"])
def test_off_a_terminal_nothing_is_asked_and_nothing_done(stack, action):
    ended = portcall(action, "flask-app", says="y\n")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.endswith(
        "This command asks for confirmation, and there is no terminal. To skip the question: --yes\n"
    )
    assert stack.changes == []


def test_an_app_that_is_not_a_preview_is_not_ended_without_its_name(stack):
    assert "--confirm flask-app" in portcall("end", "flask-app", "--yes").stderr
    assert portcall("end", "flask-app", "--confirm", "web").exit_code == 1
    assert stack.changes == []


def test_a_preview_is_ended_as_any_other_question(stack, monkeypatch):
    monkeypatch.setitem(PLAN, "preview", "yes")
    assert portcall("end", "flask-app", "--yes").exit_code == 0
    assert [each["action"] for each in stack.changes] == ["end"]


@pytest.mark.parametrize(("answer", "code", "changes"), [("y", 0, 1), ("n", 1, 0), ("", 1, 0)])
def test_on_a_terminal_the_question_says_what_would_be_done(stack, monkeypatch, answer, code, changes):
    monkeypatch.setattr(acting, "_must_be_a_terminal", lambda option: None)
    ended = portcall("rollback", "flask-app", says=f"{answer}\n")
    assert (ended.exit_code, len(stack.changes)) == (code, changes)
    assert "Roll flask-app back from latest bbbbbbb to latest aaaaaaa, and pin it? [y/N]" in ended.stderr


def test_a_deployment_is_of_the_tag_that_is_named(stack):
    portcall("deploy", "flask-app:v2")
    assert [(each["app"], each["tag"]) for each in stack.changes] == [("flask-app", "v2")]


def test_a_rollback_is_to_the_version_that_was_shown(stack):
    portcall("rollback", "flask-app", "push-1", "--yes")
    assert [each.get("to") for each in stack.asked[:2]] == ["push-1", OLD]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [("deployed", 0), ("failed", 1), ("superseded", 3), ("recorded", 1), ("ended", 1)],
)
def test_the_exit_code_is_the_outcome_of_the_deployment(stack, outcome, code):
    stack.ends = [{"status": "under way"}, LIVE | {"outcome": outcome, "reason": "exit code 1"}]
    ended = portcall("restart", "flask-app")
    assert ended.exit_code == code
    assert bool(ended.stdout) == (code == 0)
    assert ("exit code 1" in ended.stderr) == (code != 0)


def test_a_restart_that_outlasts_its_timeout_is_reported_as_still_in_progress(stack):
    stack.ends = [{"status": "under way"}]
    ended = portcall("restart", "flask-app", "--timeout", "0")
    assert ended.exit_code == Exit.NOT_KNOWN
    assert "The deployment is still in progress after 0 s. To see it: portcall show restart-1" in ended.stderr


@pytest.mark.parametrize("action", ["deploy", "rollback", "resume", "restart", "start"])
def test_without_waiting_it_says_what_was_begun(stack, action):
    ended = portcall(*sure(action), "--no-wait", "--json")
    assert json.loads(ended.stdout)["outcome"] == "started"
    assert not [each for each in stack.asked if each["action"] == "follow"]


def test_restart_keeps_waiting_after_temporary_errors_of_aws(stack, monkeypatch):
    answers = [
        Trouble("AWS is too busy to answer.", Exit.NOT_KNOWN),
        {"status": "refused", "kind": "not known"},
        LIVE,
    ]

    def invoke(target, words):
        if words["action"] != "follow":
            return stack(target, words)
        answer = answers.pop(0)
        if isinstance(answer, Trouble):
            raise answer
        return answer

    monkeypatch.setattr(operating, "invoke", invoke)
    assert portcall("restart", "flask-app").exit_code == 0


@pytest.mark.parametrize(
    ("kind", "code"), [({}, 1), ({"kind": "no such thing"}, 5), ({"kind": "not known"}, 4)], ids=str
)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_refusal_is_a_sentence_and_an_exit_code(stack, action, kind, code):
    stack.refuses[action] = {"reason": "It is stopped.", **kind}
    ended = portcall(*sure(action))
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert ended.stderr.endswith("portcall: It is stopped.\n")


def test_an_older_stack_is_said_to_be_one(stack):
    stack.refuses["stop"] = {"reason": "The action must be one of: deploy."}
    ended = portcall("stop", "flask-app", "--yes")
    assert "The stack portcall is older than this command: it supports deploy. Upgrade it." in ended.stderr


def test_a_function_that_died_may_have_done_it(stack, monkeypatch):
    monkeypatch.setattr(operating, "invoke", lambda target, words: {"errorMessage": "Task timed out."})
    ended = portcall("restart", "flask-app")
    assert (ended.exit_code, "It is not known whether this was done" in ended.stderr) == (4, True)


def test_a_reason_that_is_too_long_is_usage(stack):
    ended = portcall("restart", "flask-app", "-m", "x" * 501)
    assert (ended.exit_code, stack.asked) == (2, [])


def test_there_is_no_scaling_and_a_sentence_says_what_there_is():
    ended = portcall("scale", "flask-app", "3", "--anything")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "An app is one task; its size is in the image: LABEL portcall.cpu" in ended.stderr


@pytest.mark.parametrize("text", [*HOSTILE.values(), *(text for text, _ in OBEYED.values()), "x" * 10_000])
def test_foreign_text_is_text(stack, text):
    stack.ends = [LIVE | {"outcome": "failed", "reason": text, "hint": text}]
    ended = portcall("restart", "flask-app")
    assert "\x1b" not in ended.stdout + ended.stderr
    stack.refuses["restart"] = {"reason": text}
    assert "\x1b" not in portcall("restart", "flask-app").stderr


# ── notify test


@pytest.mark.parametrize(
    ("confirmed", "pending", "code", "said"),
    [
        (1, 0, 0, "A test email was sent to 1 subscription."),
        (2, 1, 0, "to 2 subscriptions. 1 subscription not confirmed yet: the first email from AWS has a link"),
        (0, 1, 1, "no confirmed subscription. 1 subscription not confirmed yet"),
        (0, 0, 1, "no confirmed subscription. To subscribe: portcall upgrade --set Email="),
    ],
)
def test_a_test_email_says_who_gets_it(stack, monkeypatch, confirmed, pending, code, said):
    asked = []

    def invoke(target, words):
        asked.append(dict(words))
        return {"status": "sent", "message": "m-1", "confirmed": confirmed, "pending": pending}

    monkeypatch.setattr(operating, "invoke", invoke)
    ended = portcall("notify", "test")
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert said in ended.stderr
    assert {name: asked[0][name] for name in ("action", "by")} == {"action": "notify", "by": ANN}
    ended = portcall("notify", "test", "--json")
    assert json.loads(ended.stdout) == {
        "schema": 1,
        "action": "notify",
        "outcome": "sent" if confirmed else "unheard",
        "exit_code": code,
        "confirmed": confirmed,
        "pending": pending,
        "message": "m-1",
    }


def test_a_stack_that_knows_no_test_email_says_so(stack):
    stack.refuses["notify"] = {"reason": "The action must be one of: deploy, stop."}
    ended = portcall("notify", "test")
    assert ended.exit_code == 1
    assert "older than this command: it supports deploy, stop. Upgrade it." in ended.stderr


# ── Versions


@pytest.mark.parametrize(
    ("of_the_stack", "said"),
    [("0.0.1", "Upgrade the stack"), ("99.0.0", "Upgrade the command line"), ("", "an old one")],
)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_stack_of_another_version_is_reported_and_asked_anyway(
    stack, monkeypatch, action, of_the_stack, said
):
    monkeypatch.setattr(options.choose(), "version", lambda own: of_the_stack)
    ended = portcall(*sure(action), "--json")
    assert ended.exit_code == 0
    assert said in ended.stderr
    assert json.loads(ended.stdout)["exit_code"] == 0
    assert len(stack.changes) == 1


def test_of_the_same_version_nothing_is_said(stack):
    assert portcall("restart", "flask-app").stderr.splitlines()[1].startswith("Restarting flask-app.")
