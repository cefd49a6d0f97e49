"""The phases of a deployment, from the times in the document."""

import pytest
from deployer.domain.timing import phases


def test_each_phase_ends_where_the_next_begins():
    document = {
        "time": "1970-01-01T00:01:40Z",
        "taskDefinition": {"at": 100.5},
        "task": {"at": 101.0},
        "running": {"at": 121.0},
    }
    assert phases(document) == [("register", 0.5), ("run", 0.5), ("start", 20.0)]


def test_clock_skew_gives_no_negative_phase():
    assert phases({"time": "1970-01-01T00:01:40Z", "taskDefinition": {"at": 99.0}}) == [("register", 0.0)]


def test_clock_skew_adds_no_time():
    document = {
        "time": "1970-01-01T00:01:40Z",
        "task": {"at": 101.0},
        "running": {"at": 99.0},
        "endpoint": {"at": 103.0},
    }
    assert phases(document) == [("run", 1.0), ("start", 0.0), ("address", 2.0)]


def test_a_deployment_that_failed_says_how_long_it_took_until_then():
    document = {"time": "1970-01-01T00:01:40Z", "admission": {"at": 101.0}, "taskDefinition": {"at": 102.0}}
    assert phases(document, until=112.0) == [("admit", 1.0), ("register", 1.0), ("run", 10.0)]


def test_one_that_failed_at_its_end_has_no_phase_more():
    document = {"time": "1970-01-01T00:01:40Z", "health": {"at": 101.0}}
    assert phases(document, until=112.0) == [("answer", 1.0)]


def test_only_where_there_is_a_gate_somebody_may_have_failed_at_it():
    document = {"time": "1970-01-01T00:01:40Z", "image": {"at": 101.0, "gated": True}}
    assert phases(document, until=112.0) == [("read", 1.0), ("scan", 11.0)]
    document["image"] |= {"gated": False}
    assert phases(document, until=112.0) == [("read", 1.0), ("register", 11.0)]


STARTED = {"pullStartedAt": 111.0, "pullStoppedAt": 120.0, "at": 121.0}


def test_the_start_of_a_task_is_split_by_its_own_times():
    document = {
        "time": "1970-01-01T00:01:40Z",
        "task": {"at": 101.0},
        "running": STARTED,
        "endpoint": {"at": 121.5},
    }
    assert phases(document)[1:] == [("schedule", 10.0), ("pull", 9.0), ("start", 1.0), ("address", 0.5)]


@pytest.mark.parametrize("missing", ["pullStartedAt", "pullStoppedAt"])
def test_without_all_of_its_times_the_start_is_one_phase(missing):
    times = {name: at for name, at in STARTED.items() if name != missing}
    document = {"time": "1970-01-01T00:01:40Z", "task": {"at": 101.0}, "running": times}
    assert phases(document)[1:] == [("start", 20.0)]


def test_a_task_that_never_ran_failed_in_the_phase_that_it_had_reached():
    begins = {"time": "1970-01-01T00:01:40Z", "task": {"at": 101.0}}
    assert phases(begins, until=131.0)[1:] == [("start", 30.0)]
    begins["running"] = {"pullStartedAt": 111.0}
    assert phases(begins, until=131.0)[1:] == [("schedule", 10.0), ("pull", 20.0)]
    begins["running"] = {"pullStartedAt": 111.0, "pullStoppedAt": 120.0}
    assert phases(begins, until=131.0)[1:] == [("schedule", 10.0), ("pull", 9.0), ("start", 11.0)]
