"""The commands that read the ledger: output and exit codes."""

import dataclasses
import importlib
import json
import re
from collections import Counter
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from deployer.aws import client as aws
from deployer.aws import ecr, ledger, logs
from deployer.domain.deployment import Pin, Stop

from portcall.core import execution, terminal
from tests.unit import full_ledger
from tests.unit.fake_install import STABLE, begin, digest, fail, go_live, portcall, pushed
from tests.unit.fake_install import clock as clock
from tests.unit.fake_install import fake_install as fake_install
from tests.unit.test_terminal import HOSTILE, OBEYED

# The function of that name hides the module.
overview = importlib.import_module("deployer.aws.ledger.overview")


# ── status


def test_status_lists_every_app_with_its_state():
    go_live(1)
    fail(2, app="blog", tag="v2")
    begin(3, app="shop")
    result = portcall("status", "--json")
    apps = {each["app"]: each for each in json.loads(result.stdout)["apps"]}
    assert {name: each["state"] for name, each in apps.items()} == {
        "flask-app": "live",
        "blog": "failed",
        "shop": "deploying",
    }
    assert (apps["flask-app"]["url"], apps["blog"]["serving"]) == ("http://203.0.113.1:3000/", None)
    assert json.loads(result.stdout)["schema"] == 1
    assert result.stderr == ""


def test_status_for_people_keeps_the_result_on_stdout_and_the_target_on_stderr():
    go_live(1)
    fail(2)
    result = portcall("status")
    assert result.stderr.startswith("portcall in eu-west-1, account 111122223333 (profile work)\n")
    assert "1 app: 1 failed." in result.stderr
    assert "portcall in" not in result.stdout
    heading, row, note = result.stdout.splitlines()
    assert re.split(r"\s{2,}", heading.strip()) == ["APP", "STATE", "VERSION", "SINCE", "URL"]
    assert re.split(r"\s{2,}", row.strip())[:3] == ["flask-app", "✗ failed", "latest 0000000"]
    assert row.endswith("http://203.0.113.1:3000/")
    assert note.strip() == "exit code 1. latest 0000000 serves."


def test_status_says_what_an_app_costs_a_month_and_by_which_prices():
    go_live(1, image={"cpu": "256", "memory": "512", "architecture": "ARM64", "capacity": "FARGATE"})
    (app,) = json.loads(portcall("status", "--json").stdout)["apps"]
    # By hand: (0.25 * 0.03238 + 0.5 * 0.00356) * 730 + 3.65
    assert app["usd_a_month"] == 10.86
    said = portcall("status", "flask-app").stdout
    assert "Price:     about 10.86 USD a month while it runs" in said
    assert "list prices of us-east-1, November 2026" in said


@pytest.mark.parametrize("image", [{}, {"cpu": "256", "memory": "512", "architecture": "RISCV"}], ids=str)
def test_status_promises_no_price_that_is_not_known(image):
    go_live(1, image=image)
    (app,) = json.loads(portcall("status", "--json").stdout)["apps"]
    assert app["usd_a_month"] is None
    assert "Price" not in portcall("status", "flask-app").stdout


def test_no_apps_is_an_empty_list_and_no_failure():
    assert json.loads(portcall("status", "--json").stdout)["apps"] == []
    assert portcall("status").exit_code == 0


def test_two_hundred_apps_would_take_a_handful_of_calls(monkeypatch):
    assert overview.MAX_KEYS_PER_CALL == 100
    monkeypatch.setattr(overview, "MAX_KEYS_PER_CALL", 10)
    for number in range(15):
        go_live(number, app=f"app-{number:03}")
    calls = []
    made = aws.client("dynamodb")
    made.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    assert len(ledger.overview()) == 15
    # What serves of each app, and its last deployment: thirty items.
    assert sorted(calls) == ["BatchGetItem"] * 3 + ["Query"]


def test_however_many_apps_there_are_a_question_is_a_few_calls(ledger_in_memory):
    """`python -m bench.ledger` asks the same of 200 apps and 10,000 deployments."""
    ledger_in_memory.put(full_ledger.items(apps=45, deployments=8))
    calls = []
    events = aws.client("dynamodb").meta.events
    events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name), unique_id="count")
    asked = {}
    wanted = full_ledger.deployment_id(23, 3)
    for words in (["status"], ["history", "app-023"], ["show", "app-023"], ["show", wanted[:12]]):
        calls.clear()
        result = portcall(*words, "--json")
        assert result.exit_code == 0, result.stderr
        asked[words[0], len(words) > 1 and words[1] == wanted[:12]] = Counter(calls)
        if words[-1] == wanted[:12]:
            assert json.loads(result.stdout)["deployment"]["deployment"] == wanted
    events.unregister("before-call.dynamodb", unique_id="count")
    assert asked == {
        # All orders are a page; two items of each app in one call.
        ("status", False): {"Query": 1, "BatchGetItem": 1},
        # Its deployments, and what was asked for.
        ("history", False): {"Query": 2, "GetItem": 1},
        ("show", False): {"Query": 1, "GetItem": 1},
        # Is there an app of that name? Then the index, and the app.
        ("show", True): {"Query": 3, "GetItem": 2},
    }


def test_keys_that_dynamodb_leaves_out_are_asked_for_again():
    go_live(1)
    made, real = aws.client("dynamodb"), aws.client("dynamodb").batch_get_item
    asked = []

    def half(**request):
        asked.append(len(request["RequestItems"]["ledger"]["Keys"]))
        answer = real(**request)
        if len(asked) == 1:
            left = answer["Responses"]["ledger"].pop()
            answer["UnprocessedKeys"] = {"ledger": {"Keys": [{name: left[name] for name in ("pk", "sk")}]}}
        return answer

    with patch.object(made, "batch_get_item", half):
        (known,) = ledger.overview()
    assert asked == [2, 1]
    assert known.current
    assert [each.outcome for each in known.deployments] == ["deployed"]


def test_an_app_of_an_older_ledger_has_its_state_too():
    go_live(1)
    fail(2)
    aws.client("dynamodb").update_item(
        TableName="ledger",
        Key={"pk": {"S": "app#flask-app"}, "sk": {"S": "order"}},
        UpdateExpression="REMOVE last_deployment, #open",
        ExpressionAttributeNames={"#open": "open"},
    )
    (app,) = json.loads(portcall("status", "--json").stdout)["apps"]
    assert (app["state"], app["latest"]["deployment"]) == ("failed", "push-2")


def test_a_failure_is_shown_when_it_is_open_no_more():
    go_live(1)
    fail(2)
    open_ones = ledger.open_deployments(app="flask-app")
    ledger.close(app="flask-app", deployments=open_ones)
    (app,) = json.loads(portcall("status", "--json").stdout)["apps"]
    assert (app["state"], app["latest"]["deployment"]) == ("failed", "push-2")


def test_exit_code_asks_whether_everything_is_live():
    go_live(1)
    assert portcall("status", "--exit-code").exit_code == 0
    assert portcall("status", "flask-app", "--exit-code").exit_code == 0
    fail(2)
    assert portcall("status").exit_code == 0
    assert portcall("status", "--exit-code").exit_code == 1
    assert portcall("status", "flask-app", "--exit-code").exit_code == 1


@pytest.mark.parametrize(
    "words", [["status", "nope"], ["history", "nope"], ["show", "nope"], ["show", "flask-app:nope"]]
)
def test_a_command_for_a_missing_app_says_so_and_is_exit_5(words):
    go_live(1)
    result = portcall(*words)
    assert (result.exit_code, result.stdout) == (5, "")
    assert "There is no app" in result.stderr


@pytest.mark.parametrize("width", [20, 80, 300])
def test_a_url_is_never_cut(monkeypatch, width):
    go_live(1, app="an-app-with-a-rather-long-name-of-its-own", url=STABLE)
    made = terminal.Terminal.__init__

    def narrow(self, **options):
        made(self, **{**options, "force_terminal": True, "width": width})

    monkeypatch.setattr(terminal.Terminal, "__init__", narrow)
    assert STABLE in portcall("status").stdout
    assert STABLE in portcall("status", "an-app-with-a-rather-long-name-of-its-own").stdout


def test_no_line_of_a_short_status_is_wider_than_eighty_columns(monkeypatch):
    go_live(1, url=STABLE)
    made = terminal.Terminal.__init__
    monkeypatch.setattr(terminal.Terminal, "__init__", lambda self, **more: made(self, **{**more, "force_terminal": True, "width": 80}))  # fmt: skip
    lines = [terminal.plain(line) for line in portcall("status").stdout.splitlines()]
    assert max(map(len, lines)) <= 80


# ── history and show


def test_history_has_the_newest_first_and_marks_what_serves():
    go_live(1)
    fail(2, "exit code 1\nand more")
    begin(3)
    result = portcall("history", "flask-app", "--json")
    document = json.loads(result.stdout)
    assert [each["outcome"] for each in document["deployments"]] == [None, "failed", "deployed"]
    assert document["serving"]["deployment"] == "push-1"
    lines = portcall("history", "flask-app").stdout.splitlines()
    (marked,) = [line for line in lines if line.startswith("→")]
    assert "push-1" in marked
    assert "    exit code 1" in lines
    assert [
        each["deployment"]
        for each in json.loads(portcall("history", "flask-app", "-n", 1, "--json").stdout)["deployments"]
    ] == ["push-3"]


def test_stops_and_pins_are_shown_with_requester_and_reason_as_plain_text():
    go_live(1)
    seen = ledger.current(app="flask-app")
    pin = Pin(digest(1), [digest(2)], "[red]500s[/red]", "ann", 1_795_000_020)
    stop = Stop("maintenance", "bob", 1_795_000_080)
    held = dataclasses.replace(seen, pin=pin, stop=stop, gave_up_reason="It was stopped.")
    assert ledger.change_current(app="flask-app", new=held, seen=seen)
    asked = {"action": "stop", "by": "bob", "reason": "maintenance", "at": "2026-11-18T11:08:00Z"}
    ledger.note_operation(app="flask-app", name="1", **asked)
    ledger.answer_operation(app="flask-app", name="1", answer={"status": "stopped"})
    ledger.note_operation(app="flask-app", name="2", **asked)

    status = json.loads(portcall("status", "--json").stdout)["apps"][0]
    assert (status["state"], status["pin"]["by"], status["stop"]["reason"]) == ("stopped", "ann", "maintenance")
    said = portcall("status", "flask-app").stdout
    assert "Stopped, requested by bob (not verified) at 2026-11-18 " in said
    assert "Pinned to 0000000 by a rollback, requested by ann (not verified)" in said
    assert "[red]500s[/red]" in said
    found = portcall("history", "flask-app")
    assert "[red]500s[/red]" in found.stdout
    assert "Stop, requested by bob (not verified): maintenance." in found.stdout
    document = json.loads(portcall("history", "flask-app", "--json").stdout)
    assert document["stops"] == [asked]
    assert (document["pin"]["bad"], document["stop"]["by"]) == ([digest(2)], "bob")
    assert "by a rollback" in portcall("show", "flask-app").stdout


def test_show_says_why_and_what_to_do_and_the_log():
    go_live(1)
    fail(2, "exit code 1", log=["first", "boom"])
    said = portcall("show", "flask-app").stdout
    assert all(words in said for words in ("exit code 1", "Read the log.", "first\n", "boom\n", "http://203.0.113.1:3000/", "admit"))  # fmt: skip
    document = json.loads(portcall("show", "flask-app", "--json").stdout)
    assert document["deployment"]["log"] == ["first", "boom"]
    assert (document["state"], document["serving"]["deployment"]) == ("failed", "push-1")


def test_show_finds_a_deployment_by_the_beginning_of_its_id():
    names = ["3fa85f64-5717", "3fa85f64-9999", "deadbeef-5717", "restart-3fa85f64", "rollback-0123"]
    for number, name in enumerate(names):
        push = dataclasses.replace(pushed(number), deployment=name)
        ledger.record(push=push, outcome="failed", reason=f"reason {number}")
    for part, name in [
        ("3fa85f64-5", names[0]),
        ("dead", names[2]),
        ("restart-3fa8", names[3]),
        ("rollback-0123", names[4]),
    ]:
        found = json.loads(portcall("show", part, "--json").stdout)["deployment"]
        assert found["deployment"] == name
    result = portcall("show", "3fa8")
    assert result.exit_code == 5
    assert "Several deployments begin with 3fa8" in result.stderr
    result = portcall("show", "3fa")
    assert result.exit_code == 5
    assert "The id of a deployment needs at least 4 characters" in result.stderr


@pytest.mark.parametrize("written", ["claim", "record", "record_push", "abandon"])
def test_whatever_is_written_of_a_deployment_first_it_can_be_found(written):
    go_live(1)
    seen, push = ledger.current(app="flask-app"), pushed(2)
    {
        "claim": lambda: ledger.claim(push=push, execution="e", sequence=2),
        "record": lambda: ledger.record(push=push, outcome="failed"),
        "record_push": lambda: ledger.record_push(push=push, seen=seen, reason="stopped"),
        "abandon": lambda: ledger.abandon(push=push),
    }[written]()
    assert json.loads(portcall("show", "push-2", "--json").stdout)["deployment"]["deployment"] == "push-2"


# ── logs


@pytest.fixture
def written(monkeypatch):
    """What the tasks write, by the end of their stream's name."""
    streams = {}

    @aws.errors_as_ours()
    def events(**request):
        lines = streams.get(request["logStreamName"].rpartition("/")[2])
        if lines is None:
            raise refused("ResourceNotFoundException")
        begin = int(request["nextToken"]) if "nextToken" in request else max(0, len(lines) - request["limit"])
        return {
            "events": [{"message": f"{line}\n"} for line in lines[begin:]],
            "nextForwardToken": str(len(lines)),
        }

    made = SimpleNamespace(get_log_events=events)
    monkeypatch.setattr(logs, "client", lambda _: made)
    return streams


def test_logs_are_those_of_what_serves(written):
    go_live(1)
    written["task-1"] = ["one", "[red]two[/]", "\x1b[31mthree"]
    result = portcall("logs", "flask-app", "-n", 2)
    assert (result.exit_code, result.stdout) == (0, "[red]two[/]\nthree\n")
    assert "── latest 0000000 ──" in result.stderr
    (line,) = portcall("logs", "flask-app", "-n", 1, "--json").stdout.splitlines()
    assert json.loads(line) == {"schema": 1, "version": "latest 0000000", "message": "\x1b[31mthree"}


def test_logs_are_those_of_the_last_push_if_it_failed(written):
    go_live(1)
    push, _ = begin(2)
    ledger.record(push=push, outcome="failed", task="task-2", reason="exit code 1")
    written["task-1"], written["task-2"] = ["fine"], ["boom"]
    result = portcall("logs", "flask-app")
    assert result.stdout == "boom\n"
    assert "which failed" in result.stderr


def test_an_app_that_has_written_nothing_has_an_empty_log(written):
    go_live(1)
    assert portcall("logs", "flask-app").stdout == ""
    assert portcall("logs", "flask-app").exit_code == 0


def test_logs_says_that_no_task_of_the_app_was_started(written):
    fail(1)
    result = portcall("logs", "flask-app")
    assert (result.exit_code, "No task of flask-app was started" in result.stderr) == (1, True)


def test_logs_continue_and_join_the_next_version(written, clock):
    go_live(1)
    written["task-1"] = ["one"]

    def interrupt():
        raise KeyboardInterrupt

    clock.after(3, lambda: written["task-1"].append("two"))
    clock.after(7, lambda: go_live(2))
    clock.after(7, lambda: written["task-1"].append("the last"))
    clock.after(30, lambda: written.update({"task-2": ["three"]}))
    clock.after(60, interrupt)
    result = portcall("logs", "flask-app", "--follow")
    assert (result.exit_code, result.stdout) == (130, "one\ntwo\nthe last\nthree\n")
    assert result.stderr.count("──  ") + result.stderr.count(" ──\n") == 2


def test_logs_continue_when_aws_is_too_busy(written, clock, monkeypatch):
    go_live(1)
    written["task-1"] = ["one"]
    real = logs.newer

    def busy(**where):
        if 4 <= clock.now - 1_795_000_000 < 60:
            with aws.errors_as_ours():
                raise refused("ThrottlingException")
        return real(**where)

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(logs, "newer", busy)
    clock.after(10, lambda: written["task-1"].append("two"))
    clock.after(100, interrupt)
    result = portcall("logs", "flask-app", "--follow")
    assert (result.exit_code, result.stdout) == (130, "one\ntwo\n")
    assert result.stderr.count("too busy") == 1


# ── watch


def test_watch_prints_each_deployment_s_steps_and_end(clock, monkeypatch):
    at = {"push-2": "RunTask"}
    step = execution.Step
    monkeypatch.setattr(
        execution, "steps", lambda _, name: [step(at[name.replace("execution", "push")], began=1.0)]
    )
    go_live(1)
    begin(2)
    clock.after(5, lambda: at.update({"push-2": "CheckHealth"}))
    clock.after(9, lambda: ledger.record(push=pushed(2), outcome="failed", reason="exit code 1\nmore"))
    clock.after(20, lambda: interrupted())
    result = portcall("watch", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["app"], each["deployment"], each["state"], each["step"]) for each in lines] == [
        ("flask-app", "push-2", "deploying", "RunTask"),
        ("flask-app", "push-2", "deploying", "CheckHealth"),
        ("flask-app", "push-2", "failed", ""),
    ]
    assert set(lines[0]) == {"schema", "time", "app", "deployment", "tag", "digest", "state", "step", "seconds", "url", "reason"}  # fmt: skip
    assert (result.exit_code, lines[2]["reason"]) == (130, "exit code 1\nmore")


def test_watch_prints_a_line_for_each_change_and_outlasts_throttling(clock, monkeypatch):
    monkeypatch.setattr(execution, "steps", lambda *_: None)
    begin(1)
    clock.after(25, lambda: go_live(1))
    clock.after(60, lambda: interrupted())
    real = ledger.overview

    def busy(**where):
        if clock.now - 1_795_000_000 < 4:
            with aws.errors_as_ours():
                raise refused("ThrottlingException")
        return real(**where)

    monkeypatch.setattr(ledger, "overview", busy)
    result = portcall("watch")
    first, last = result.stdout.splitlines()
    assert re.split(r"\s{2,}", first)[1:] == ["flask-app", "◐ deploying", "latest 0000000"]
    assert re.split(r"\s{2,}", last)[1:5] == [
        "flask-app",
        "● deployed",
        "latest 0000000",
        "http://203.0.113.1:3000/",
    ]
    assert result.stderr.count("too busy") == 1


def interrupted():
    raise KeyboardInterrupt


def test_status_looks_again_and_writes_what_has_changed(clock):
    go_live(1)
    clock.after(12, lambda: fail(2))
    clock.after(60, lambda: interrupted())
    result = portcall("status", "--watch", "--json")
    states = [[each["state"] for each in json.loads(line)["apps"]] for line in result.stdout.splitlines()]
    assert (result.exit_code, states) == (130, [["live"], ["failed"]])
    clock.after(30, lambda: interrupted())
    assert portcall("status", "flask-app", "--watch=10").exit_code == 130
    assert portcall("status", "--watch=0").exit_code == 2


# ── open


def test_open_takes_the_url_to_the_browser(monkeypatch):
    go_live(1)
    opened = []
    monkeypatch.setattr("click.launch", lambda url: opened.append(url) or 0)
    assert portcall("open", "flask-app", "/health").stdout == "http://203.0.113.1:3000/health\n"
    assert portcall("open", "flask-app", "--print").stdout == "http://203.0.113.1:3000/\n"
    go_live(2, url="tcp://203.0.113.2:6379")
    assert portcall("open", "flask-app").stdout == "tcp://203.0.113.2:6379\n"
    assert opened == ["http://203.0.113.1:3000/health"]


def test_show_and_open_treat_a_worker_as_running_without_a_url():
    go_live(1)
    seen = ledger.current(app="flask-app")
    worker = dataclasses.replace(seen, url="", direct_url="")
    assert ledger.change_current(app="flask-app", new=worker, seen=seen)
    fail(2)
    assert re.search(r"Serves: +latest 0000000$", portcall("show", "flask-app").stdout, re.MULTILINE)
    result = portcall("open", "flask-app")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "flask-app is running, and has no URL: it listens on no port." in result.stderr


def test_open_says_why_there_is_nothing_to_open():
    fail(1)
    result = portcall("open", "flask-app")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "flask-app is failed: exit code 1. No version is running." in result.stderr
    assert portcall("open", "nope").exit_code == 5


# ── wait


def test_wait_is_done_at_once_when_it_is_live(clock):
    push = go_live(1)
    before = clock.now
    result = portcall("wait", f"flask-app:latest@{push.digest}")
    assert (result.exit_code, result.stdout, clock.now) == (0, "http://203.0.113.1:3000/\n", before)


def test_wait_follows_a_deployment_to_its_end(clock):
    go_live(1)
    clock.after(40, lambda: go_live(2))
    result = portcall("wait", f"flask-app:latest@{digest(2)}")
    assert (result.exit_code, result.stdout) == (0, "http://203.0.113.2:3000/\n")
    assert len([line for line in result.stderr.splitlines() if "no deployment yet" in line]) == 1


def test_wait_is_red_when_another_version_answers():
    go_live(1)
    push = fail(2, log=["boom"])
    result = portcall("wait", f"flask-app@{push.digest}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert all(words in result.stderr for words in ("flask-app failed to start.", "exit code 1", "Read the log.", "| boom", "http://203.0.113.1:3000/"))  # fmt: skip


def test_wait_reports_a_push_that_was_superseded(clock):
    push, _ = begin(1)

    def supersede():
        go_live(2)
        ledger.record(push=push, outcome="superseded", reason="The tag points elsewhere.")

    clock.after(10, supersede)
    assert portcall("wait", f"flask-app@{push.digest}").exit_code == 3
    assert portcall("wait", f"flask-app@{push.digest}", "--superseded", "ok").exit_code == 0


def test_wait_gives_up_after_its_time_and_says_that_it_continues(clock):
    begin(1)
    began = clock.now
    result = portcall("wait", f"flask-app@{digest(1)}", "--timeout", "2m")
    assert (result.exit_code, result.stdout, clock.now - began) == (4, "", 120)
    assert "in progress after 120 s. To see it: portcall show push-1" in result.stderr
    # A line every half a minute, so that nobody takes it for dead.
    assert len([line for line in result.stderr.splitlines() if "in progress, " in line]) == 3


def test_wait_says_when_a_push_has_no_deployment():
    result = portcall("wait", f"flask-app@{digest(1)}", "--timeout", "90s")
    assert result.exit_code == 4
    assert "There is no deployment of this push yet" in result.stderr
    assert "There was no deployment of the push within 90 s" in result.stderr


def test_wait_does_not_take_an_old_failure_for_that_of_this_push(clock):
    push = fail(1)
    clock.now += 3600
    clock.after(20, lambda: go_live(2) and ledger.change_current(app="flask-app", new=again(push), seen=ledger.current(app="flask-app")))  # fmt: skip
    assert portcall("wait", f"flask-app@{push.digest}").exit_code == 0


def again(push):
    seen = ledger.current(app=push.app)
    return dataclasses.replace(seen, digest=push.digest)


def test_wait_takes_an_old_failure_for_it_when_nothing_newer_is_found(clock):
    push = fail(1)
    clock.now += 3600
    assert portcall("wait", f"flask-app@{push.digest}").exit_code == 1


def test_wait_knows_an_app_of_a_tag():
    push = go_live(1, app="flask-app:pr-7", tag="pr-7")
    assert portcall("wait", f"flask-app:pr-7@{push.digest}").exit_code == 0
    assert portcall("wait", f"flask-app@{push.digest}").exit_code == 0


def test_wait_looks_up_the_digest_of_a_tag(monkeypatch):
    push = go_live(1)
    monkeypatch.setattr(ecr, "digest_of", lambda **_: push.digest)
    assert portcall("wait", "flask-app:latest").exit_code == 0
    monkeypatch.setattr(ecr, "digest_of", lambda **_: "")
    result = portcall("wait", "flask-app:latest")
    assert result.exit_code == 5
    assert "There is no image flask-app:latest" in result.stderr


def refused(code, status=400):
    answer = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Query")


PASSES = {
    "throttled": refused("ProvisionedThroughputExceededException"),
    "AWS fails": refused("InternalServerError", 500),
    "the line is down": EndpointConnectionError(endpoint_url="https://dynamodb.eu-west-1.amazonaws.com/"),
}


def failing(clock, error, *, until):
    real = ledger.current

    def current(**where):
        if clock.now < until:
            with aws.errors_as_ours():
                raise error
        return real(**where)

    return patch.object(ledger, "current", current)


@pytest.mark.parametrize("error", PASSES.values(), ids=PASSES)
def test_wait_outlasts_what_passes(clock, error):
    push = go_live(1)
    with failing(clock, error, until=clock.now + 100):
        assert portcall("wait", f"flask-app@{push.digest}").exit_code == 0


@pytest.mark.parametrize("error", PASSES.values(), ids=PASSES)
def test_wait_does_not_know_what_it_could_not_read(clock, error):
    push = go_live(1)
    with failing(clock, error, until=clock.now + 1000):
        result = portcall("wait", f"flask-app@{push.digest}", "--timeout", "60s")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "Its outcome is not known" in result.stderr


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException"]
)
def test_wait_ends_where_it_may_not_look(clock, code):
    push = go_live(1)
    began = clock.now
    with failing(clock, refused(code), until=clock.now + 1000):
        result = portcall("wait", f"flask-app@{push.digest}")
    assert (result.exit_code, clock.now) == (6, began)
    assert "Traceback" not in result.output


WRONG_PLACE = {
    "no stack, or none in this region": ("ValidationError", "Stack with id portcall does not exist", 6, "There is no stack"),
    "an older stack": ("ValidationException", "The table does not have the specified index: listing", 1, "Upgrade it"),
    "a region that is not enabled": ("UnrecognizedClientException", "The security token is invalid", 6, "is the region enabled"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "message", "code", "words"), WRONG_PLACE.values(), ids=WRONG_PLACE)
def test_wait_is_never_green_where_it_looks_in_the_wrong_place(github, clock, kind, message, code, words):
    push, began = go_live(1), clock.now
    error = ClientError({"Error": {"Code": kind, "Message": message}}, "DescribeStacks")
    with failing(clock, error, until=clock.now + 1000):
        result = portcall("wait", f"flask-app@{push.digest}")
    assert (result.exit_code, result.stdout, clock.now) == (code, "", began)
    assert words in result.stderr
    assert commands(result.stderr) == ["error"]
    with pytest.raises(FileNotFoundError):
        github("output")


def test_wait_says_on_ctrl_c_that_the_deployment_continues(monkeypatch):
    begin(1)

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    result = portcall("wait", f"flask-app@{digest(1)}")
    assert result.exit_code == 130
    assert "The deployment continues." in result.stderr


@pytest.mark.parametrize(
    "words",
    [["wait"], ["wait", "flask-app"], ["wait", "x@sha256:1"], ["wait", f"x@{digest(1)}", "--timeout", "soon"]],
)
def test_wait_with_a_missing_or_invalid_argument_is_exit_2(words):
    result = portcall(*words)
    assert (result.exit_code, result.stdout) == (2, "")


def test_wait_prints_one_line_for_programs():
    push = fail(1, "exit ##[error]code\n1")
    result = portcall("wait", f"flask-app@{push.digest}", "--json")
    document = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert (document["schema"], document["outcome"], document["exit_code"]) == (1, "failed", 1)
    assert document["reason"] == "exit ##[error]code\n1"
    assert set(document) == {"schema", "outcome", "exit_code", "app", "deployment", "digest", "url", "seconds", "said", "reason", "hint", "log"}  # fmt: skip


# ── In GitHub Actions

ATTACKS = {
    "a command": "::error title=x::y",
    "a command after spaces": "  ::add-path::/tmp/evil",
    "an old command": "all is well ##[set-env name=PATH]/tmp/evil",
    "lines": "one\n::add-mask::a\r\n::stop-commands::x",
    "per cent": "100%0A::error::x",
    "a delimiter": "x\nEOF\nurl<<EOF\nhttp://evil.test/\nEOF",
    "a fence": "```\n# evil\n````\n<img src=x>\n``````````",
    "a table": "| a | b |\n|---|---|\n[click](http://evil.test) <script>x</script> **bold**",
    "long": "x" * 10_000,
    **{f"markup: {name}": text for name, text in HOSTILE.items()},
    **{f"obeyed: {name}": text for name, (text, _) in OBEYED.items()},
}


def commands(output):
    """As the runner reads them: https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs"""
    found = []
    for line in re.split(r"\r\n|\r|\n", output):
        begins = line.lstrip()
        if begins.startswith("::") and "::" in begins[2:]:
            found.append(begins[2 : begins.index("::", 2)].split(" ")[0])
        if "##[" in line:
            found.append("##[")
    return found


def read_outputs(text):
    """As the runner reads them: a name, a delimiter, lines up to that."""
    found, lines = {}, text.split("\n")
    while lines and (line := lines.pop(0)):
        name, delimiter = line.split("<<")
        value = []
        while (each := lines.pop(0)) != delimiter:
            value.append(each)
        found[name] = "\n".join(value)
    return found


@pytest.fixture
def github(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    return lambda name: (tmp_path / name).read_text()


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["people", "json"])
def test_foreign_text_breaks_out_of_nothing(github, text, more):
    push = fail(1, text, log=text.split("\n") * 2, hint=text, tag="v1")
    result = portcall("wait", f"flask-app:v1@{push.digest}", *more)
    assert result.exit_code == 1
    # The one annotation is ours.
    assert commands(result.stdout) + commands(result.stderr) == ["error"]
    assert not set("\x1b\x9b\x08\u202e") & set(result.stdout + result.stderr)
    outputs = read_outputs(github("output"))
    assert outputs == {"url": "", "outcome": "failed", "deployment": "push-1", "digest": push.digest, "seconds": outputs["seconds"]}  # fmt: skip
    assert_fenced(github("summary"))


def assert_fenced(summary):
    """Outside of its one fence, which nothing in it closes, the summary has no markup but ours."""
    before, fence, rest = re.split(r"^(`{3,})text\n", summary, maxsplit=1, flags=re.MULTILINE)
    inside, after = rest.rsplit(f"\n{fence}\n", 1)
    assert after.strip() == ""
    assert max((len(each) for each in re.findall("`+", inside)), default=0) < len(fence)
    for line in before.splitlines():
        bare = re.sub(r"\\.", "", line)
        assert "<" not in line
        assert not re.search(r"[`*\[\]]", bare), line
        assert not bare.lstrip().startswith("#") or line.startswith("### flask")
        assert bare.count("|") in (0, 3), line


def test_a_url_is_an_output(github):
    push = go_live(1)
    result = portcall("wait", f"flask-app@{push.digest}")
    assert (result.exit_code, result.stdout) == (0, "http://203.0.113.1:3000/\n")
    assert read_outputs(github("output"))["url"] == "http://203.0.113.1:3000/"
    assert "live" in github("summary")
    assert commands(result.output) == []


def test_two_waits_in_one_step_use_two_delimiters(github):
    push = go_live(1)
    for _ in range(2):
        portcall("wait", f"flask-app@{push.digest}")
    delimiters = {line.split("<<")[1] for line in github("output").splitlines() if "<<" in line}
    assert len(delimiters) == 10


def test_wait_on_github_annotates_an_error_that_prevents_its_result(github, clock):
    with failing(clock, refused("AccessDeniedException"), until=clock.now + 1000):
        result = portcall("wait", f"flask-app@{digest(1)}")
    assert result.exit_code == 6
    assert commands(result.stderr) == ["error"]


def test_nothing_is_written_for_github_elsewhere():
    push = fail(1)
    assert "::error" not in portcall("wait", f"flask-app@{push.digest}").output


# ── Foreign text


@pytest.mark.parametrize("text", [*HOSTILE.values(), *(text for text, _ in OBEYED.values()), "x" * 10_000])
def test_foreign_text_is_text(text):
    go_live(1)
    fail(2, text, log=[text], hint=text)
    for command in (["status"], ["status", "flask-app"], ["history", "flask-app"], ["show", "flask-app"], ["wait", f"flask-app@{digest(2)}"]):  # fmt: skip
        said = portcall(*command).output
        assert terminal.plain(text)[:50].rstrip() in said
        assert not set("\x1b\x9b\x08\u202e") & set(said)
