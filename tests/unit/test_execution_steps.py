"""The steps of an execution, read from its history."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from portcall.core.execution import PATH_TO_LIVE, SAID, steps_of, to_come
from tests.console.world import event, passed

STATES: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "statemachine/deploy.asl.yaml").read_text()
)["States"]


def test_each_step_of_the_workflow_has_its_words() -> None:
    assert set(SAID) == {name for name, state in STATES.items() if state["Type"] == "Task"}


def test_the_steps_of_a_push_that_goes_live_are_a_path_through_the_workflow() -> None:
    assert [STATES[name]["Next"] for name, _ in pairwise(PATH_TO_LIVE)] == list(PATH_TO_LIVE[1:])
    assert STATES[PATH_TO_LIVE[-1]]["End"] is True


@pytest.mark.parametrize("end", ["SucceedStateEntered", "TaskStateEntered"])
def test_a_step_that_took_a_branch_has_not_failed(end: str) -> None:
    (step, *_) = steps_of([*passed("AdmitPush", 10, failed=True), event(end, 11, "RecordPush")])
    assert (step.name, step.failed) == ("AdmitPush", False)


@pytest.mark.parametrize(("name", "next_state"), [("AdmitPush", "RollBack"), ("RollBack", "RollBackFailed")])
def test_a_step_before_a_roll_back_has_failed(name: str, next_state: str) -> None:
    (step, *_) = steps_of([*passed(name, 10, failed=True), event("TaskStateEntered", 11, next_state)])
    assert (step.name, step.failed) == (name, True)


def test_a_step_that_found_another_one_missing_begins_after_that() -> None:
    checked = [*passed("RegisterTaskDefinition", 10, failed=True), *passed("CheckFindings", 11, 30)]
    (step,) = steps_of(checked)
    assert (step.name, to_come([step])[0].name) == ("CheckFindings", "AdmitPush")
    steps = steps_of([*checked, *passed("RegisterTaskDefinition", 41, 1)])
    assert [(each.name, each.began, each.ended, each.attempts, each.failed) for each in steps] == [
        ("CheckFindings", 11, 41, 1, False),
        ("RegisterTaskDefinition", 41, 42, 1, False),
    ]


def test_a_step_that_runs_has_no_end_and_the_remaining_steps_are_ahead() -> None:
    steps = steps_of([*passed("AdmitPush", 10, 0.5), event("TaskStateEntered", 11, "ReadImage")])
    assert [(each.name, each.running, each.seconds, each.failed) for each in steps] == [
        ("AdmitPush", False, 0.5, False),
        ("ReadImage", True, 0.0, False),
    ]
    assert [each.name for each in to_come(steps)] == list(PATH_TO_LIVE[2:])


def test_a_step_that_is_tried_again_has_not_failed() -> None:
    began = [event("TaskStateEntered", 10, "RunTask"), event("TaskScheduled", 10), event("TaskFailed", 11)]
    (step,) = steps_of([*began, event("TaskScheduled", 13)])
    assert (step.attempts, step.failed, step.running) == (2, False, True)
    (step,) = steps_of([*began, event("TaskStateExited", 11)])
    assert (step.attempts, step.failed, step.seconds) == (1, True, 1.0)
    assert to_come([step, *steps_of(passed("RollBack", 12))]) == []


def test_a_step_that_comes_round_again_is_one() -> None:
    events = [
        *passed("CheckHealth", 10, 30, failed=True),
        *passed("ReadLog", 41, 1),
        *passed("CheckHealth", 43, 5),
    ]
    steps = steps_of(events)
    assert [(each.name, each.began, each.ended, each.attempts) for each in steps] == [
        ("CheckHealth", 10, 48, 2),
        ("ReadLog", 41, 42, 1),
    ]


def test_an_execution_that_was_aborted_ends_its_step() -> None:
    (step,) = steps_of(
        [event("ExecutionStarted", 9), *passed("RunTask", 10)[:2], event("ExecutionAborted", 15)]
    )
    assert (step.running, step.failed, step.seconds) == (False, True, 5.0)
