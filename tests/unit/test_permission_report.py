"""The report of needed permissions, from recorded calls, with the embedded cloud's IAM engine."""

import json
from functools import cache

import pytest

from bench.permissions import __main__ as permissions
from bench.permissions.report import Decision, Report, excused, excused_parts, load, logical
from bench.permissions.table import BEGIN, may, outdated, table

STATEMENT = {
    "sid": "ExchangeTaskStates",
    "effect": "Allow",
    "actions": ["dynamodb:UpdateItem", "dynamodb:GetItem"],
    "not_actions": [],
    "resources": ["arn:aws:dynamodb:eu-west-1:111122223333:table/ledger"],
    "not_resources": [],
    "conditions": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["task#*", "app#*"]}},
}
OTHER = {**STATEMENT, "sid": "SendTaskCallbacks", "actions": ["states:SendTaskSuccess"], "conditions": {}}


def decision(action="dynamodb:UpdateItem", key="task#1", statements=(STATEMENT, OTHER), limits=()):
    context = {
        "principal_arn": "arn:aws:sts::111122223333:assumed-role/x-WaitForRunningFunctionRole-1/y",
        "principal_type": "AssumedRole",
        "principal_account": "111122223333",
        "action": action,
        "resource_arn": "arn:aws:dynamodb:eu-west-1:111122223333:table/ledger",
        "region": "eu-west-1",
        "service_context": {"dynamodb:leadingkeys": [key]},
    }
    return Decision("x-WaitForRunningFunctionRole-1", "test_it", context, [list(statements)], list(limits))


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("portcall-RunTaskFunctionRole-0A1B2C3D4E5F", "RunTaskFunction"),
        ("portcall-DeployStateMachineRole-0A1B2C", "DeployStateMachine"),
        ("my-stack-ExecutionRole-0A1B2C", "ExecutionRole"),
        ("role-0a1b2c3d", ""),
    ],
)
def test_the_physical_name_of_a_role_says_whose_it_is(role, name):
    assert logical(role) == name


def test_a_statement_is_needed_by_the_call_that_it_alone_lets_through():
    assert decision().needed == {"ExchangeTaskStates"}


def test_a_statement_that_no_call_needs_is_reported():
    unused = Report([decision()], "").unused()
    assert "WaitForRunningFunction: no test needs SendTaskCallbacks" in unused
    assert "WaitForRunningFunction: no test needs ExchangeTaskStates" not in unused


def test_an_excuse_stands_at_the_sid_or_at_the_alias():
    template = """
  WaitForRunningFunction:
            - &answer
              Sid: SendTaskCallbacks # knows no resource; not exercised here: the reason
  RecordTaskStateFunction:
            - *answer # not exercised here: another one
"""
    assert excused(template) == {
        ("WaitForRunningFunction", "SendTaskCallbacks"): "the reason",
        ("RecordTaskStateFunction", "SendTaskCallbacks"): "another one",
    }
    assert not [each for each in Report([], template).unused() if "SendTaskCallbacks" in each]


def test_an_excuse_for_what_is_exercised_is_reported():
    template = "  WaitForRunningFunction:\n            - Sid: ExchangeTaskStates # not exercised here: why\n"
    assert len(Report([decision()], template).needless_excuses()) == 1
    assert Report([], template).needless_excuses() == []


def test_a_permission_that_no_test_needs_is_reported():
    assert Report([decision()], "").survivors() == [
        "WaitForRunningFunction: ExchangeTaskStates without dynamodb:LeadingKeys app#*",
        "WaitForRunningFunction: ExchangeTaskStates without dynamodb:GetItem",
    ]
    excuse = "# dynamodb:GetItem is not exercised here: why\n            - Sid: ExchangeTaskStates\n"
    assert len(Report([decision()], excuse).survivors()) == 1
    both = [decision(), decision("dynamodb:GetItem", "app#1")]
    assert Report(both, "").survivors() == []


def test_excuses_of_parts_stand_above_the_sid_one_a_line():
    template = """
            # dynamodb:GetItem is not exercised here: why
            # dynamodb:LeadingKeys ${AWS::StackName} is not exercised here: why
            - &meet
              Sid: ExchangeTaskStates
            - Sid: SendTaskCallbacks
"""
    assert excused_parts(template) == {
        ("ExchangeTaskStates", "dynamodb:GetItem"),
        ("ExchangeTaskStates", "dynamodb:LeadingKeys ${AWS::StackName}"),
    }


def test_the_name_of_a_stack_stands_for_all():
    named = {
        **STATEMENT,
        "conditions": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["x *", "x", "task#*", "y"]}},
    }
    shown = [part for _, _, part, _ in Report([decision(statements=(named,))], "").parts]
    assert [each for each in shown if "LeadingKeys" in each] == [
        "dynamodb:LeadingKeys ${AWS::StackName} *",
        "dynamodb:LeadingKeys ${AWS::StackName}",
        "dynamodb:LeadingKeys task#*",
        "dynamodb:LeadingKeys y",
    ]


def test_an_excuse_for_a_part_that_is_exercised_is_reported():
    excuse = "# dynamodb:UpdateItem is not exercised here: why\n            - Sid: ExchangeTaskStates\n"
    assert len(Report([decision()], excuse).needless_excuses_of_parts()) == 1
    assert Report([decision()], excuse.replace("UpdateItem", "GetItem")).needless_excuses_of_parts() == []


def test_a_part_of_the_tests_is_not_a_verdict(tmp_path, monkeypatch, capsys):
    def reported(*options: str, left_out: list[str]) -> object:
        monkeypatch.setattr(permissions, "missing", lambda folder: left_out)
        # Whether the table follows the template is what `make check` asks.
        monkeypatch.setattr(permissions, "outdated", lambda document: [])
        monkeypatch.setattr("sys.argv", ["permissions", *options, str(tmp_path)])
        with pytest.raises(SystemExit) as ended:
            permissions.main()
        return ended.value.code

    left_out = ["tests/e2e/test_x.py::test_it"]
    assert reported(left_out=left_out) == 0
    said = capsys.readouterr().out
    assert "This is a part of the report: 1 tests of tests/local and tests/e2e did not run" in said
    assert "no test needs" in said
    whole = str(reported("--whole", left_out=left_out))
    assert "1 tests did not run, so nothing is known:\ntests/e2e/test_x.py::test_it" in whole
    assert "no test needs" not in whole
    assert "no test needs" in str(reported("--whole", left_out=[]))
    assert "no test needs" in str(reported(left_out=[]))


def test_a_test_that_was_not_noted_did_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(permissions, "SUITE", ("tests/local/test_lifecycle.py",))
    # pytest takes a second or two to list them.
    monkeypatch.setattr(permissions, "suite", cache(permissions.suite))
    everything = permissions.missing(tmp_path)
    assert len(everything) > 1
    (tmp_path / "gw0").mkdir()
    (tmp_path / "gw0/ran").write_text("\n".join(everything[1:]) + "\n")
    assert permissions.missing(tmp_path) == everything[:1]


def test_a_boundary_counts():
    nothing = {**STATEMENT, "actions": ["s3:GetObject"]}
    assert decision(limits=[[[nothing]]]).needed == set()


def test_decisions_are_read_from_all_processes(tmp_path):
    for worker in ("gw0", "gw1"):
        (tmp_path / worker).mkdir()
        one = decision()
        line = {name: getattr(one, name) for name in ("role", "test", "context", "policies", "limits")}
        (tmp_path / worker / "1.jsonl").write_text(json.dumps(line) + "\n")
    assert [each.needed for each in load(tmp_path)] == [{"ExchangeTaskStates"}] * 2


def test_a_table_that_says_something_else_than_the_template_is_reported():
    """`make test` reports the same of docs/security.md in its last step."""
    made = BEGIN + table(Report([decision()], ""), "")
    assert outdated(made) == []
    assert len(outdated(made.replace("dynamodb:GetItem", "dynamodb:*", 1))) == 1
    assert len(outdated("")) == len(may())
    assert "| test_it |" in made
