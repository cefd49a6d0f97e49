"""The ledger's record of each push and restart, for each outcome."""

import pytest
from deployer.aws import ledger, ledger_keys
from deployer.aws.items import plain
from deployer.domain.errors import AccessDeniedError

from tests.workflow.conftest import URL, stopped
from tests.workflow.test_properties import crash

PHASES = ["admit", "read", "register", "run", "start", "address", "answer"]


@pytest.fixture
def items(_dynamodb):
    """`items()` are the ledger's items of deployments, by event id."""

    def all_of_them():
        found = map(plain, _dynamodb.scan(TableName="ledger")["Items"])
        return {
            each["sk"].rpartition("#")[2]: each
            for each in found
            if each["sk"].startswith(ledger_keys.DEPLOYMENT)
        }

    return all_of_them


def test_a_push_that_is_live(deploy, world, push, items):
    deploy(push(1))
    item = items()["push-1"]
    assert item["outcome"] == "deployed"
    assert (item["tag"], item["digest"]) == ("latest", f"sha256:{1:064x}")
    assert (item["url"], item["task"]) == (URL, world.started["push-1"])
    assert item["revision"].endswith("portcall_flask-app:1")
    assert set(item["phases"]) == set(PHASES)
    assert item["began_at"] <= item["ended_at"] <= item["notified_at"] < item["expires_at"]
    assert item["expires_at"] - item["ended_at"] == 90 * 24 * 3600
    assert "restart" not in item


def test_a_push_that_failed(deploy, world, push, items):
    world.states = [stopped(exit_code=3, stop_code="EssentialContainerExited")]
    world.log = [f"line {number}" for number in range(50)]
    deploy(push(1))
    item = items()["push-1"]
    assert item["outcome"] == "failed"
    assert (item["reason"], item["error"]) == ("exit code 3", "TaskStoppedError")
    assert item["log"] == world.log[-30:]
    assert item["task"] == world.started["push-1"]
    assert item["revision"].endswith("portcall_flask-app:1")
    assert set(item["phases"]) == {"admit", "read", "register", "run", "start"}
    assert item["began_at"] <= item["ended_at"] <= item["notified_at"]


def test_a_push_that_failed_before_it_had_a_task(deploy, world, push, items):
    world.faults["register_task_definition"] = [AccessDeniedError("not authorized")]
    deploy(push(1))
    item = items()["push-1"]
    assert (item["outcome"], item["log"]) == ("failed", [])
    assert set(item["phases"]) == {"admit", "read", "register"}
    assert "task" not in item
    assert "revision" not in item


def test_a_push_that_was_superseded_at_the_end(deploy, world, push, items):
    world.faults["probe"] = [lambda: deploy(push(2))]
    deploy(push(1))
    item = items()["push-1"]
    assert item["outcome"] == "superseded"
    assert "push-2" in item["reason"]
    assert item["task"] == world.started["push-1"]
    assert set(item["phases"]) == set(PHASES)


def test_a_push_that_was_superseded_at_once(deploy, world, push, items):
    deploy(push(2))
    deploy(push(1), moves_the_tag=False)
    item = items()["push-1"]
    assert (item["outcome"], item["reason"]) == ("superseded", f"The tag now points to sha256:{2:064x}.")
    assert item["began_at"] <= item["ended_at"]


def test_a_restart_says_that_it_is_one_and_why(deploy, world, push, items):
    deploy(push(1))
    crash(world)
    (restart,) = (item for name, item in items().items() if name.startswith("restart-"))
    assert restart["restart"]["deployment"] == "push-1"
    assert restart["restart"]["reason"] == "exit code 1"
    assert (restart["outcome"], restart["digest"]) == ("deployed", f"sha256:{1:064x}")
    assert set(restart["phases"]) == {*PHASES}


def test_a_log_that_no_item_could_hold_is_cut(deploy, world, push, items):
    world.answers = None
    world.log = ["\N{BUG}" * 200_000, "\x1b[31mred\x1b[0m\x00\a", "last"] * 20
    deploy(push(1))
    item = items()["push-1"]
    assert item["outcome"] == "failed"
    assert len(item["log"]) == 30
    assert all(len(line) <= 500 for line in item["log"])
    assert "red" in item["log"]


def test_an_open_push_is_known_as_such(deploy, world, push):
    seen = []
    world.faults["probe"] = [lambda: seen.extend(ledger.open_deployments(app="flask-app"))]
    deploy(push(1))
    assert [(each.deployment, each.outcome) for each in seen] == [("push-1", "")]
