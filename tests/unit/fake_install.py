"""The ledger in memory, a target and a clock, for tests of the commands that read the ledger."""

import dataclasses
import threading
import time
from typing import NamedTuple

import botocore.session
import pytest
from click.testing import CliRunner
from deployer.aws import ledger
from deployer.domain.deployment import Current
from deployer.domain.push import Push

from portcall.cli import main, options
from portcall.core import target

SESSION = botocore.session.Session()
OUTPUTS = {
    "AppLogGroupName": "apps",
    "LedgerTableName": "ledger",
    "OperateFunctionName": "operate",
    "StateMachineArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:deploy",
}
STABLE = "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/"


class Said(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self):
        return self.stdout + self.stderr


class Clock:
    """A clock that advances when the code sleeps."""

    def __init__(self):
        self.now = 1_795_000_000.0

    def sleep(self, seconds, wait=time.sleep):
        # Background threads really sleep.
        if threading.current_thread() is not threading.main_thread():
            wait(seconds)
            return
        self.now += seconds
        for at, act in list(self.acts):
            if self.now >= at:
                self.acts.remove((at, act))
                act()

    acts = ()

    def after(self, seconds, act):
        self.acts = [*self.acts, (self.now + seconds, act)]


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    made = Clock()
    made.acts = []
    for name in ("time", "monotonic"):
        monkeypatch.setattr(f"time.{name}", lambda: made.now)
    monkeypatch.setattr("time.sleep", made.sleep)
    return made


@pytest.fixture(autouse=True)
def fake_install(ledger_in_memory, monkeypatch):
    """An account with an installed stack, for `portcall ...`."""

    def choose(**_):
        chosen = target.Target(SESSION, stack="portcall", region="eu-west-1", profile="work")
        chosen._outputs = dict(OUTPUTS)
        return chosen

    monkeypatch.setattr(options, "choose", choose)
    # One client for all tests of this file: a session and a client take a third of a second.
    monkeypatch.setattr(target, "use", lambda *_: None)
    for name in ("GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


def portcall(*words):
    result = CliRunner(mix_stderr=False).invoke(main.cli, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def digest(number):
    return f"sha256:{number:064x}"


def pushed(number, *, app="flask-app", tag="latest"):
    return Push(f"push-{number}", f"2026-11-18T11:06:{number:02}Z", app, tag, digest(number))


def begin(number, **where):
    """Admit a push, as the workflow does."""
    push = pushed(number, **where)
    sequence = ledger.next_in_order(push=push, now=2_000_000_000).number
    ledger.claim(push=push, execution=f"execution-{number}", sequence=sequence)
    ledger.note_in_order(push=push, sequence=sequence)
    return push, sequence


def go_live(number, *, url="", image=None, **where):
    push, sequence = begin(number, **where)
    url = url or f"http://203.0.113.{number}:3000/"
    since = f"2026-11-18T11:07:{number:02}+00:00"
    seen = ledger.current(app=push.app)
    new = Current(push.deployment, sequence, f"task-{number}", url, push.digest, push.tag, "rev:1", since)
    new = dataclasses.replace(new, image=image or {})
    assert ledger.make_current(push=push, new=new, seen=seen)
    ledger.record(push=push, outcome="deployed", url=url, phases={"admit": "1.5", "start": "20.1"})
    return push


def fail(number, reason="exit code 1", *, log=("boom",), hint="Read the log.", **where):
    push, _ = begin(number, **where)
    facts = {"reason": reason, "error": "TaskStoppedError", "summary": "failed to start", "hint": hint}
    ledger.record(push=push, outcome="failed", log=list(log), phases={"admit": "1.0"}, **facts)
    return push
