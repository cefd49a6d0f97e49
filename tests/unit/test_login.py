"""`portcall login`: the password goes only to Docker's standard input."""

import base64
import importlib
import json
import stat
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from portcall.cli import main

# The function of that name hides the module.
login = importlib.import_module("portcall.cli.login")
REGISTRY = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
PASSWORD = "a-password"
DOCKER = """#!/bin/sh
printf '%s\\n' "$@" > "$0.arguments"
cat > "$0.input"
exit {code}
"""


@pytest.fixture
def account(monkeypatch):
    token = base64.b64encode(f"AWS:{PASSWORD}".encode()).decode()
    data = {"authorizationToken": token, "proxyEndpoint": f"https://{REGISTRY}", "expiresAt": datetime(2026, 11, 26, tzinfo=UTC)}  # fmt: skip
    ecr = SimpleNamespace(get_authorization_token=lambda: {"authorizationData": [data]})
    chosen = SimpleNamespace(embedded=False, client=lambda _: ecr, ask=lambda question: question({}))
    monkeypatch.setattr(login, "target_of", lambda _: chosen)
    return chosen


def docker(tmp_path, code=0):
    program = tmp_path / "docker"
    program.write_text(DOCKER.format(code=code))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def portcall(*words):
    return CliRunner(mix_stderr=False).invoke(main.cli, ["login", *map(str, words)])


def test_the_password_is_on_standard_input_alone(account, tmp_path):
    program = docker(tmp_path)
    result = portcall("--docker", program)
    assert result.exit_code == 0
    assert (tmp_path / "docker.input").read_text() == PASSWORD
    assert (tmp_path / "docker.arguments").read_text().split() == ["login", "--username", "AWS", "--password-stdin", REGISTRY]  # fmt: skip
    assert PASSWORD not in json.dumps([result.stdout, result.stderr])
    assert f"Logged in to {REGISTRY} until 2026-11-26 00:00 UTC" in result.stderr


def test_a_login_that_fails_is_exit_1(account, tmp_path):
    result = portcall("--docker", docker(tmp_path, code=1))
    assert (result.exit_code, "could not log in" in result.stderr) == (1, True)
    assert PASSWORD not in result.stderr


def test_without_docker_it_says_so(account, tmp_path):
    result = portcall("--docker", tmp_path / "nothing")
    assert (result.exit_code, "There is no " in result.stderr) == (1, True)


def test_the_embedded_cloud_needs_no_login(account, tmp_path):
    account.embedded = True
    result = portcall("--docker", tmp_path / "nothing")
    assert (result.exit_code, "without a login" in result.stderr) == (0, True)
