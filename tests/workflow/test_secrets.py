"""Secrets in an app's log are hidden in the ledger, in mails and in events."""

import json

import pytest

from tests.workflow.conftest import stopped

# Each with something in it that must not get out, and a word that shows that the line was mailed.
LINES = {
    "connecting to postgres://app:hunter2@db.example/orders": "db.example/orders",
    "DB_PASSWORD=hunter2 LEVEL=debug": "LEVEL=debug",
    "using AKIAHUNTER2HUNTER2AB in eu-west-1": "in eu-west-1",
    "> Authorization: Bearer hunter2hunter2hunter2": "> Authorization: Bearer ***",
    '{"api_key": "hunter2", "retries": 3}': '"retries": 3',
    "-----BEGIN RSA PRIVATE KEY-----": "PRIVATE KEY",
    "aHVudGVyMgHUNTER2hunter2": "***",
    "-----END RSA PRIVATE KEY-----": "***",
}
NAMES_OF_SECRETS = ("hunter2", "HUNTER2")


@pytest.fixture
def sent_out(world, _dynamodb):
    """All output of Portcall: the ledger's items, the mails as text and as JSON, the events."""

    def everything() -> str:
        ledger = _dynamodb.scan(TableName="ledger")["Items"]
        return json.dumps([ledger, world.mails, world.events], default=str)

    return everything


def fails_in_its_log(deploy, world, push, stop):
    world.states = [stopped(exit_code=3, stop_code="EssentialContainerExited")]
    deploy(push(1))


def is_tried_again(deploy, world, push, stop):
    # AWS's side fails after the app has begun to write.
    world.states = [
        stopped(stop_code="TaskFailedToStart", stopped_reason="Timeout waiting for EphemeralStorage")
    ]
    deploy(push(1))


def keeps_crashing(deploy, world, push, stop):
    deploy(push(1))
    for _ in range(3):
        stop()


@pytest.mark.parametrize("happens", [fails_in_its_log, is_tried_again, keeps_crashing])
def test_no_secret_of_a_log_gets_out(deploy, world, push, stop, sent_out, happens):
    world.log = list(LINES)
    happens(deploy, world, push, stop)
    everything = sent_out()
    for shown in LINES.values():
        assert json.dumps(shown)[1:-1] in everything.replace('\\\\\\"', '\\"'), shown
    assert not any(secret in everything for secret in NAMES_OF_SECRETS)


def test_no_secret_of_a_redirect_gets_out(deploy, world, push, sent_out):
    world.answers, world.location = 302, "https://user:hunter2@login.example/?access_token=hunter2&next=/"
    execution = deploy(push(1))
    assert execution.status == "SUCCEEDED"
    assert "login.example/?access_token=***&next=/" in sent_out()
    assert "hunter2" not in sent_out()
