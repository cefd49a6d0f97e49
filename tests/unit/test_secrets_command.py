"""`portcall secrets`: names are listed, values are written and shown nowhere."""

import contextlib
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from deployer.aws.client import errors_as_ours
from hypothesis import given
from hypothesis import strategies as st

from portcall.cli import main, options
from portcall.core import secrets, target
from tests.unit.fake_install import OUTPUTS, SESSION, go_live

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)
SECRET = "hunter2 && $(rm)"


@pytest.fixture
def store(ledger_in_memory, monkeypatch):
    """Parameter Store, by name: (value, when)."""
    kept = {}

    def describe(ParameterFilters):
        (path,) = ParameterFilters[0]["Values"]
        found = [
            {"Name": name, "LastModifiedDate": when, "KeyId": "alias/aws/ssm"}
            for name, (_, when) in kept.items()
            if name.rpartition("/")[0] == path
        ]
        return [{"Parameters": found}]

    @errors_as_ours()
    def delete(Name):
        if Name not in kept:
            raise ClientError({"Error": {"Code": "ParameterNotFound", "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "DeleteParameter")  # fmt: skip
        del kept[Name]

    def put(Name, Value, Type, Overwrite):
        assert (Type, Overwrite) == ("SecureString", True)
        kept[Name] = (Value, NOW)

    made = SimpleNamespace(
        get_paginator=lambda _: SimpleNamespace(paginate=describe), put_parameter=put, delete_parameter=delete
    )
    monkeypatch.setattr(secrets, "client", lambda _: made)

    def choose(**_):
        chosen = target.Target(SESSION, stack="portcall", region="eu-west-1")
        chosen._outputs = dict(OUTPUTS)
        return chosen

    monkeypatch.setattr(options, "choose", choose)
    monkeypatch.setattr(target, "use", lambda *_: None)
    return kept


def portcall(*words, typed=None):
    result = CliRunner(mix_stderr=False).invoke(main.cli, ["secrets", *words], input=typed)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_value_comes_on_standard_input_and_is_shown_nowhere(store):
    result = portcall("set", "flask-app", "DATABASE_URL", typed=f"{SECRET}\n")
    assert result.exit_code == 0
    assert store == {"/portcall/flask-app/DATABASE_URL": (SECRET, NOW)}
    assert SECRET not in result.stdout + result.stderr
    assert "takes effect with the next push, or now: portcall deploy flask-app" in result.stderr


def test_previews_have_their_own(store):
    portcall("set", "team/app:pr-7", "A", "--previews", typed="1")
    assert list(store) == ["/portcall-previews/team/app/A"]


def test_names_are_listed_with_those_that_the_running_version_has_not(store):
    go_live(1)
    store["/portcall/flask-app/OLD"] = (SECRET, datetime(2026, 11, 18, 11, 7, 0, tzinfo=UTC))
    store["/portcall/flask-app/NEW"] = (SECRET, NOW)
    store["/portcall/flask-app/deeper/C"] = (SECRET, NOW)
    result = portcall("list", "flask-app", "--json")
    assert [(each["name"], each["staged"]) for each in json.loads(result.stdout)["secrets"]] == [("NEW", True), ("OLD", False)]  # fmt: skip
    said = portcall("list", "flask-app")
    assert [line.split()[:2] for line in said.stdout.splitlines()][1] == ["NEW", "*"]
    assert "portcall deploy flask-app" in said.stderr
    assert SECRET not in result.output + said.stdout + said.stderr


def test_secrets_may_be_there_before_the_app(store):
    assert portcall("list", "new-app").exit_code == 0
    portcall("set", "new-app", "A", typed="1")
    (line,) = portcall("list", "new-app").stdout.splitlines()[1:]
    assert line.split()[0] == "A"


def test_unset_removes_and_says_what_is_not_there(store):
    portcall("set", "flask-app", "A", typed="1")
    assert portcall("unset", "flask-app", "A").exit_code == 0
    assert store == {}
    result = portcall("unset", "flask-app", "A")
    assert (result.exit_code, "has no secret A" in result.stderr) == (5, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("A=1", "x"), ("1A", "x"), ("a-b", "x"), ("A", ""), ("A", "\n"), ("A", "é" * 2049)],
)
def test_an_invalid_secret_is_exit_2_and_neither_written_nor_shown(store, name, value):
    result = portcall("set", "flask-app", name, typed=value)
    assert (result.exit_code, store) == (2, {})
    assert "é" not in result.stderr


ENV = """
# a comment
export A=1
B = two words   # and a comment
C='#x $y'
D="a\\"b\\nc\\d"
E=a#b
"""


def test_a_file_is_imported_whole(store):
    result = portcall("import", "flask-app", typed=ENV)
    assert result.exit_code == 0
    assert {name.rpartition("/")[2]: value for name, (value, _) in store.items()} == {
        "A": "1",
        "B": "two words",
        "C": "#x $y",
        "D": 'a"b\nc\\d',
        "E": "a#b",
    }
    assert "two words" not in result.stderr


@pytest.mark.parametrize(
    "text", ["", "# nothing", f"A=1\n{SECRET}", f"A='{SECRET}", f'A="{SECRET}" x', "A=1\nB="]
)
def test_a_file_with_a_line_that_is_none_is_not_imported_at_all(store, text):
    result = portcall("import", "flask-app", typed=text)
    assert (result.exit_code, store) == (2, {})
    assert SECRET not in result.stderr


@given(st.text())
def test_any_text_is_variables_or_a_sentence(text):
    with contextlib.suppress(ValueError):
        assert all(secrets.NAME.fullmatch(name) for name in secrets.parse(text))
