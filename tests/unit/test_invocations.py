"""How the bench takes apart what an invocation of a function takes."""

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.servers import invocations
from localcloud.patches.aws_lambda.function_process import FunctionProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone counts the wait for a processor")


@pytest.fixture
def function(monkeypatch, tmp_path):
    """What is noted of one invocation of a function, which is this process."""

    def noted(invoke, *, loaded=True, ends=False):
        process = SimpleNamespace(is_loaded=loaded, func_name="f", _proc=SimpleNamespace(pid=os.getpid()))

        def has_loaded(event):
            process.is_loaded = not ends
            return invoke(event)

        monkeypatch.setattr(FunctionProcess, "invoke", lambda self, event: has_loaded(event))
        invocations.note(tmp_path)
        assert FunctionProcess.invoke(process, "event") == "answer"
        return invocations.read(tmp_path)

    return noted


def works(event):
    began = time.process_time()
    while time.process_time() - began < 0.05:
        pass
    return "answer"


def waits(event):
    # Long enough that a machine with much to do hides little of it.
    time.sleep(0.25)
    return "answer"


def test_work_is_cpu(function):
    (noted,) = function(works)
    assert noted.function == "f"
    assert noted.cpu >= 0.045


def test_a_wait_is_none(function):
    (noted,) = function(waits)
    assert noted.waited >= 0.2
    assert noted.cpu < 0.045


def test_the_loading_of_a_new_process_counts(function):
    (noted,) = function(waits, loaded=False)
    # All that this process has ever taken.
    assert noted.cpu > 0.045


def test_a_function_that_has_ended_is_not_counted(function):
    assert function(waits, ends=True) == []


def test_before_the_first_invocation_there_are_none():
    assert invocations.read(Path("/nowhere")) == []
