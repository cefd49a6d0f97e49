"""A function that is forked (tests/forked_functions.py) is like one that the cloud starts."""

import re
from collections.abc import Iterator

import psutil
import pytest

from tests.conftest import StateFolder
from tests.local.conftest import Cloud, eventually
from tests.local.installed import cloud_of_its_own

# What a function finds, without what is another in each function, cloud or Python.
FINDS = """
import logging, os, sys, time

def handler(event, context):
    return {
        # Python adds LC_CTYPE as it starts, where a machine does not know the function's LANG.
        "variables": sorted(os.environ.keys() - {"LC_CTYPE"}),
        "same": [os.environ[name] for name in ("PATH", "HOME", "TZ", "AWS_REGION", "_HANDLER")],
        "folder": os.getcwd() == os.environ["LAMBDA_TASK_ROOT"] == sys.path[0] == sys.argv[1],
        "arguments": [len(sys.argv), os.path.basename(sys.argv[0])],
        "streams": [os.path.exists(f"/proc/self/fd/{number}") for number in range(8)],
        "time": time.tzname,
        "log": [type(each).__name__ for each in logging.getLogger().handlers],
        "group": os.getpgrp() != os.getpid(),
    }
"""
ENDS = "import os, sys, time\ndef handler(event, context):\n    print(os.getpid())\n    sys.stdout.flush()\n    {}\n"


@pytest.fixture(scope="module")
def forking(engine: None, state_folder: StateFolder) -> Iterator[Cloud]:
    with cloud_of_its_own(state_folder("forking"), NOT_FOR_FUNCTIONS="secret") as running:
        yield running


def test_it_finds_the_same(cloud: Cloud, forking: Cloud) -> None:
    finds, forked = (each.invoke(each.function(FINDS)) for each in (cloud, forking))
    assert finds[0] == ""
    assert forked == finds
    assert "NOT_FOR_FUNCTIONS" not in finds[1]["variables"]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("sys.exit(3)", "exit status 3"),
        ("os._exit(4)", "exit status 4"),
        ("os.kill(os.getpid(), 9)", "signal: killed"),
        ("time.sleep(60)", "Task timed out after 1.00 seconds"),
        ("raise ValueError('no')", "no"),
    ],
)
def test_it_ends_the_same(cloud: Cloud, forking: Cloud, end: str, said: str) -> None:
    answers = []
    for each in (cloud, forking):
        error, body = each.invoke(each.function(ENDS.format(end), Timeout=1))
        assert said in body["errorMessage"]
        message = re.sub(r"RequestId: \S+", "", body["errorMessage"])
        answers.append((error, body["errorType"], message, len(body.get("stackTrace") or [])))
    assert answers[0] == answers[1]


def test_each_has_a_process_of_its_own_which_is_new_after_an_end(forking: Cloud) -> None:
    source = "import os\ndef handler(event, context):\n    if event: os._exit(1)\n    return os.getpid()\n"
    one, two = forking.function(source), forking.function(source)
    first, other = forking.invoke(one)[1], forking.invoke(two)[1]
    assert first != other
    assert psutil.Process(first).parent() == psutil.Process(forking.process.pid)
    assert forking.invoke(one)[1] == first
    forking.invoke(one, {"end": True})
    eventually(lambda: not psutil.pid_exists(first))
    assert forking.invoke(one)[1] not in (first, other)
    assert forking.invoke(two)[1] == other
