"""Alarms that cost nothing by default, and saved queries of log lines that exist."""

import json
import re
from pathlib import Path

import pytest
from deployer.actions import outcomes, retries
from deployer.aws import events, ledger
from deployer.domain import timing
from deployer.domain.push import Push

from tests.templates import resolved, template

RESOURCES = template()["Resources"]
DEPLOYER = Path(outcomes.__file__).parents[1]
QUERIES = {
    name: each["Properties"]["QueryString"]
    for name, each in RESOURCES.items()
    if each["Type"] == "AWS::Logs::QueryDefinition"
}
ALARMS = {name: each for name, each in RESOURCES.items() if each["Type"] == "AWS::CloudWatch::Alarm"}
PUSH = Push("3fa85f64", "2026-11-26T11:06:00Z", "flask-app", "latest", f"sha256:{1:064x}")
# What CloudWatch, Lambda and the logger put into each line.
GIVEN = {"message", "level", "function_name", "correlation_id"}
# Those of the lines that the other queries read.
OF_OTHER_LINES = {"acts"}
WORDS = {
    "fields", "filter", "stats", "sort", "by", "desc", "as", "and", "count", "latest", "pct", "bin", "d", "s", "here", "id", "put", "the", "deployment",
}  # fmt: skip


@pytest.fixture
def lines(monkeypatch, capsys):
    """The lines that were logged."""
    monkeypatch.setattr(ledger, "record", lambda **_: True)
    monkeypatch.setattr(retries, "retry", lambda call: None)
    monkeypatch.setattr(outcomes, "count", lambda name: None)
    monkeypatch.setattr(events, "put_event", lambda **_: None)
    logged = []
    monkeypatch.setattr(outcomes.logger, "info", lambda message, extra: logged.append((message, extra)))
    return logged


def ended(lines, outcome="failed", **facts):
    outcomes.record_outcome(PUSH, outcome, None, **facts)
    (line,) = lines
    return line


def test_a_deployment_that_ended_is_one_line_with_all_facts(lines):
    phases = {"admit": "1.4", "start": "20.125"}
    message, fields = ended(lines, phases=phases, reason="exit code 1", error="TaskStoppedError", log=["x"])
    assert message == "Deployment ended"
    assert fields == {
        "app": "flask-app",
        "tag": "latest",
        "digest": PUSH.digest,
        "deployment": "3fa85f64",
        "outcome": "failed",
        "reason": "exit code 1",
        "error": "TaskStoppedError",
        "phases": {"admit": 1.4, "start": 20.125},
        "seconds": 21.525,
    }
    # Insights counts with numbers only.
    assert json.loads(json.dumps(fields)) == fields


def test_a_logged_reason_is_cut_and_printable(lines):
    _, fields = ended(lines, reason="\x1b[31m" + "x" * 10_000)
    assert len(fields["reason"]) == outcomes.MAX_LOGGED
    assert "\x1b" not in fields["reason"]


def test_a_deployment_that_never_began_has_no_phases(lines):
    _, fields = ended(lines, outcome="superseded", reason="A newer push.")
    assert (fields["phases"], fields["seconds"]) == ({}, 0)


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_saved_query_reads_fields_and_lines_that_there_are(lines, query):
    _, fields = ended(lines)
    phases = {f"phases.{name}" for name in timing.NAMES}
    plain = re.sub(r"\"[^\"]*\"", "", query)
    made = set(re.findall(r"\bas ([a-z_0-9]+)", plain))
    named = set(re.findall(r"@?[a-z_][a-z_.0-9]*", plain)) - WORDS - made
    known = {*fields, *GIVEN, *OF_OTHER_LINES, *phases, "@timestamp"}
    assert named <= known
    for message in re.findall(r"message = \"([^\"]+)\"", query):
        assert message in {"Deployment ended", *_logged()}


def _logged():
    """The messages of all lines."""
    sources = (path.read_text() for path in DEPLOYER.rglob("*.py"))
    return {found for text in sources for found in re.findall(r"logger\.\w+\(\s*\"([^\"]+)\"", text)}


def test_there_is_a_query_for_each_question():
    assert len(QUERIES) == 6


def test_alarms_and_traces_are_off_unless_asked_for():
    parameters = template()["Parameters"]
    assert {parameters[name]["Default"] for name in ("Alarms", "Tracing")} == {"off"}
    assert {each["Condition"] for each in ALARMS.values()} == {"HasAlarms"}
    # Ten are free in an account.
    assert len(ALARMS) <= 10
    assert not _made("AWS::CloudWatch::Alarm", Alarms="off")
    assert len(_made("AWS::CloudWatch::Alarm", Alarms="on")) == len(ALARMS)


@pytest.mark.parametrize("tracing", ["off", "on"])
def test_the_workflow_writes_traces_if_they_are_asked_for(tracing):
    made = resolved(template(), {"Tracing": tracing})
    (machine,) = (each for kind, each in made.values() if kind == "AWS::StepFunctions::StateMachine")
    assert machine["TracingConfiguration"] == {"Enabled": tracing == "on"}
    _, role = made["DeployStateMachineRole"]
    assert ("xray:PutTraceSegments" in json.dumps(role)) == (tracing == "on")
    assert "XRay" not in json.dumps([role.get("ManagedPolicyArns") for _, role in made.values()])


def _made(kind, **parameters):
    return [name for name, (type_, _) in resolved(template(), parameters).items() if type_ == kind]


def test_each_dead_letter_queue_has_an_alarm_that_mails():
    queues = {name for name, each in RESOURCES.items() if each["Type"] == "AWS::SQS::Queue"}
    queues |= {
        each["DeadLetterConfig"]["QueueLogicalId"]
        for resource in RESOURCES.values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if "DeadLetterConfig" in (each := event["Properties"])
    }
    watched = {
        alarm["Properties"]["Dimensions"][0]["Value"]["Fn::GetAtt"].partition(".")[0]
        if isinstance(alarm["Properties"]["Dimensions"][0]["Value"]["Fn::GetAtt"], str)
        else alarm["Properties"]["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for alarm in ALARMS.values()
        if alarm["Properties"]["Namespace"] == "AWS/SQS"
    }
    assert watched == queues
    assert all(alarm["Properties"]["AlarmActions"] == [{"Ref": "Topic"}] for alarm in ALARMS.values())
