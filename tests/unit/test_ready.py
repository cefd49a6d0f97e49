"""A function that is woken loads, and does nothing else."""

import ast
import gc
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import deployer
import pytest
from deployer import ready
from deployer.aws import client as clients
from deployer.domain.errors import ContendedError, SupersededError

from tests.conftest import FUNCTION_ENVIRONMENT
from tests.templates import template


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(clients, "client", found.append)
    return found


def test_a_wake_call_does_not_reach_the_handler():
    calls: list[Any] = []
    handler = ready.ready()(lambda event, context: calls.append((event, context)))
    assert handler({"wake": True}, None) is None
    assert not calls


@pytest.mark.parametrize(
    "event", [{}, {"wake": True, "id": "1"}, {"wake": 2}, {"id": "1", "detail": {"wake": True}}]
)
def test_all_else_does(event):
    handler = ready.ready()(lambda event, context: (event, context))
    assert handler(event, "context") == (event, "context")


def test_a_branch_is_logged_with_its_reason_and_without_its_stack(monkeypatch):
    def inner(event: Any, context: Any) -> None:
        raise SupersededError("A newer push.")

    logged = []
    monkeypatch.setattr(ready.logger, "info", lambda message, extra: logged.append((message, extra)))
    handler = ready.ready()(lambda event, context: inner(event, context))
    with pytest.raises(SupersededError, match="A newer push") as raised:
        handler({}, None)
    assert logged == [("Took a branch", {"branch": "SupersededError", "reason": "A newer push."})]
    # This test, and the handler's decorator.
    assert len(raised.traceback) == 2


def test_a_failure_keeps_its_stack():
    def inner(event: Any, context: Any) -> None:
        raise ContendedError("x")

    handler = ready.ready()(lambda event, context: inner(event, context))
    with pytest.raises(ContendedError) as raised:
        handler({}, None)
    assert len(raised.traceback) == 4


def test_clients_are_made_while_lambda_loads_the_function(made, monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    ready.ready("ecs", "ec2")
    assert made == ["ecs", "ec2"]


def test_garbage_is_not_looked_for_while_lambda_loads_a_function_and_again_after(made, monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    try:
        importlib.reload(deployer)
        assert not gc.isenabled()
        ready.ready("ecs")
        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.mark.parametrize(
    "handler",
    sorted(
        {
            each["Properties"]["Handler"]
            for each in template()["Resources"].values()
            if "Handler" in each.get("Properties", {})
        }
    ),
)
def test_each_function_is_made_ready(handler):
    path = Path("functions", *handler.split(".")[:-1]).with_suffix(".py")
    (found,) = [node for node in ast.parse(path.read_text()).body if getattr(node, "name", "") == "handler"]
    assert ast.unparse(found.decorator_list[0]).startswith("ready(")


def test_elsewhere_the_first_call_makes_them(made):
    ready.ready("ecs")
    assert not made


def test_the_health_check_loads_without_boto3_in_lambda_too():
    code = "import sys, deployer.steps.check_health; print('botocore.session' in sys.modules)"
    environment = FUNCTION_ENVIRONMENT | {
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "PYTHONPATH": "functions",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
