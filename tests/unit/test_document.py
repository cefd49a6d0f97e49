"""The types of the workflow's document agree with the definition and with what the handlers take and return."""

from importlib import import_module
from inspect import signature
from typing import Any, get_type_hints

import pytest
from deployer.domain import document
from deployer.domain.document import Document, Image, Start
from deployer.domain.image_spec import ImageSpec

from tests.templates import definition
from tests.unit.test_workflow_contract import snake

STATES: dict[str, dict[str, Any]] = definition()["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
# Types that only type checkers import.
ONLY_TYPES = {"HealthCheckTypeDef": dict}
RETURNED = {
    name: kind for name, kind in get_type_hints(Document, localns=ONLY_TYPES).items() if name not in Start.__annotations__
}  # fmt: skip
# WaitForRunning returns nothing: its answer is sent with the task token.
ANSWERED_LATER = {"WaitForRunning"}
TAKES = {"AdmitPush": document.Execution, "RunTask": document.Attempt, "PublishUrl": document.Attempt, "WaitForRunning": document.Waiting}  # fmt: skip


def handler_of(state):
    return import_module(f"deployer.steps.{snake(state)}").handler


def test_each_result_path_has_a_type_and_there_is_no_other():
    paths = {state["ResultPath"] for state in TASKS.values()}
    paths |= {caught["ResultPath"] for state in TASKS.values() for caught in state["Catch"]}
    assert {f"$.{name}" for name in RETURNED} == paths


@pytest.mark.parametrize("name", TASKS)
def test_a_handler_takes_and_returns_what_the_document_says(name):
    state = TASKS[name]
    hints = get_type_hints(handler_of(name), localns=vars(document))
    assert hints["event"] is TAKES.get(name, Document)
    if name not in ANSWERED_LATER:
        assert hints["return"] is RETURNED[state["ResultPath"].removeprefix("$.")]
    assert list(signature(handler_of(name)).parameters) == ["event", "context"]


@pytest.mark.parametrize("name", TAKES)
def test_the_parameters_of_a_state_are_the_fields_of_its_type(name):
    given = TASKS[name]["Parameters"]
    fields = get_type_hints(TAKES[name], localns=ONLY_TYPES)
    assert {key.removesuffix(".$") for key in given.get("Payload", given)} == set(fields)
    (whole,) = [key.removesuffix(".$") for key, path in given.get("Payload", given).items() if path == "$"]
    assert fields[whole] is Document


def test_the_image_has_the_fields_of_its_spec():
    of_the_step = {"result", "gated", "at"}
    assert set(Image.__annotations__) - of_the_step == set(ImageSpec.__annotations__)
