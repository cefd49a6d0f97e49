"""Phases are read from what the steps left."""

from deployer.domain.timing import phases


def test_each_phase_ends_where_the_next_begins():
    document = {
        "time": "1970-01-01T00:01:40Z",
        "taskDefinition": {"at": 100.5},
        "task": {"at": 101.0},
        "running": {"at": 121.0},
    }
    assert phases(document) == [("register", 0.5), ("run", 0.5), ("start", 20.0)]


def test_a_clock_that_went_back_counts_as_nothing():
    assert phases({"time": "1970-01-01T00:01:40Z", "taskDefinition": {"at": 99.0}}) == [("register", 0.0)]
