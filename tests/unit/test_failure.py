"""Each way to fail has its own words and its own hint."""

import json

import pytest
from deployer.domain.errors import PermanentError, TransientError
from deployer.domain.failure import OTHERS, explain, read_error
from deployer.domain.task import Task


def why(error, message="", *, log=(), **task):
    stopped = Task("arn", "STOPPED", "STOPPED", 5, **task) if task else None
    return explain(
        error=error,
        message=message,
        task=stopped,
        log=list(log),
        port=3000,
        memory="512",
        architecture="X86_64",
    )


@pytest.mark.parametrize(
    ("log", "message", "task", "verdict", "hint"),
    [
        (["exec /app: exec format error"], "", {"exit_code": 255}, "wrong CPU architecture", "--platform linux/amd64"),
        ([], "CannotPullContainerError: no descriptor matching platform 'linux/amd64'", {},
         "wrong CPU architecture", "--platform linux/amd64"),
        ([], "CannotPullContainerError: manifest unknown", {}, "could not be pulled", "Push it again"),
        ([], "OutOfMemoryError: Container killed due to memory usage", {"exit_code": 137}, "out of memory", "512 MiB"),
        ([], "CannotStartContainerError: no such file", {}, "command cannot be run", "CMD"),
        (["sh: 1: nope: not found"], "exit code 127", {"exit_code": 127}, "command cannot be run", "CMD"),
        (["bye"], "exit code 0", {"exit_code": 0}, "ended by itself", "foreground"),
        (["Traceback"], "exit code 3", {"exit_code": 3}, "exit code 3", "last words"),
    ],
)  # fmt: skip
def test_a_stopped_task_is_explained(log, message, task, verdict, hint):
    failure = why("TaskStoppedError", message, log=log, **task)
    assert verdict in failure.verdict
    assert hint in failure.hint


def test_a_time_out_of_a_task_that_stopped_is_told_as_the_stop():
    failure = why("States.Timeout", "", exit_code=1, stopped_reason="Essential container in task exited")
    assert failure.error == "TaskStoppedError"
    assert "exit code 1" in failure.verdict


def test_an_app_that_never_answered_is_told_which_port_was_asked():
    assert "port 3000" in why("NoAnswerError").hint


def test_an_error_that_nobody_foresaw_is_told_as_it_is():
    failure = why("KeyError", "'boom'")
    assert failure.reason == "'boom'"
    assert "report" in failure.hint


def test_every_error_class_has_words_of_its_own():
    leaves = {each.__name__ for parent in (PermanentError, TransientError) for each in parent.__subclasses__()}
    assert leaves - {"TaskStoppedError"} <= set(OTHERS)


def test_reads_the_cause_of_a_failed_lambda():
    cause = json.dumps({"errorType": "NoAnswerError", "errorMessage": "It did not answer.", "stackTrace": []})
    assert read_error({"Error": "NoAnswerError", "Cause": cause}) == ("NoAnswerError", "It did not answer.")


@pytest.mark.parametrize("cause", ["Task timed out", "[1, 2]", '"text"', "{", "{}"])
def test_reads_any_cause(cause):
    error, message = read_error({"Error": "States.Timeout", "Cause": cause})
    assert error == "States.Timeout"
    assert message


def test_reads_a_caught_error_without_a_cause():
    assert read_error({}) == ("Unknown", "AWS gave no reason.")


@pytest.mark.parametrize(
    "line",
    [
        "[INFO] Listening at: http://0.0.0.0:8080 (1)",
        "Serving HTTP on 0.0.0.0 port 8080 (http://0.0.0.0:8080/) ...",
        "Server listening on port 8080",
        "  * Running on http://127.0.0.1:8080",
        "Started server process on [::]:8080",
    ],
)
def test_an_app_that_listens_elsewhere_is_told_where(line):
    assert "Its log speaks of port 8080, but 3000 was asked" in why("NoAnswerError", log=[line]).hint


@pytest.mark.parametrize("line", ["Listening on 0.0.0.0:3000", "GET / 200 12:34:56", "started at 09:15", ""])
def test_what_is_no_other_port_is_not_taken_for_one(line):
    assert "speaks of port" not in why("NoAnswerError", log=[line]).hint


def test_a_task_that_we_stopped_ourselves_is_no_reason():
    stopped = {
        "stop_code": "UserInitiated",
        "exit_code": 137,
        "stopped_reason": "Portcall: deployment 1 failed",
    }
    assert why("NoAnswerError", "It did not answer.", **stopped).verdict == "never answered"
