"""An install in memory: a ledger, written like the functions do, and histories of executions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import botocore.session
from deployer.aws import ledger
from deployer.domain.deployment import Current
from deployer.domain.push import Push

from portcall.core.target import Target

SESSION = botocore.session.Session()
OUTPUTS = {
    "AppLogGroupName": "apps",
    "LedgerTableName": "ledger",
    "OperateFunctionName": "operate",
    "StateMachineArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:deploy",
}
ACTIONS = ("deploy", "rollback", "resume", "restart", "stop", "start", "end")
FAILED_LOG = ["Starting up", "Traceback (most recent call last):", "KeyError: 'DATABASE_URL'"]


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def event(kind: str, at: float, name: str = "") -> dict[str, Any]:
    """An event of an execution's history."""
    made: dict[str, Any] = {"type": kind, "timestamp": datetime.fromtimestamp(at, UTC)}
    if name:
        made["stateEnteredEventDetails"] = {"name": name}
    return made


def passed(name: str, began: float, seconds: float = 0.5, failed: bool = False) -> list[dict[str, Any]]:
    """The events of a finished step."""
    end = began + seconds
    outcome = "LambdaFunctionFailed" if failed else "LambdaFunctionSucceeded"
    return [
        event("TaskStateEntered", began, name),
        event("LambdaFunctionScheduled", began),
        event(outcome, end),
        event("TaskStateExited", end),
    ]


@dataclass
class World:
    """The data of the pages. `now` is in UNIX seconds; each push is some seconds after the last."""

    now: float
    count: int = 0
    histories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    # The error that each call of the workflow's API, and of a chosen target, raises.
    trouble: Exception | None = None
    chosen: int = 0
    asked: int = 0
    target: Target | None = None
    embedded: bool = False
    pushes: list[Push] = field(default_factory=list)
    # What the stack's function supports, refuses and has done.
    actions: list[str] = field(default_factory=lambda: list(ACTIONS))
    refusal: str = ""
    acted: list[dict[str, str]] = field(default_factory=list)
    # The log of each task, by the last part of its log stream.
    written: dict[str, list[str]] = field(default_factory=dict)
    # How many lines of each task are older than any requested time.
    old: int = 0

    def choose(self, **_: Any) -> Target:
        """In the place of `portcall.core.target.choose`."""
        self.chosen += 1
        if self.trouble:
            raise self.trouble
        target = Target(SESSION, stack="portcall", region="eu-west-1", profile="work", embedded=self.embedded)
        target._outputs = dict(OUTPUTS)
        self.target = target
        return target

    def expire(self) -> None:
        """Let the present target raise errors until another one is chosen."""
        assert self.target
        self.target.ask = self._refuse  # type: ignore[method-assign]

    def _refuse(self, _: Any) -> Any:
        assert self.trouble
        raise self.trouble

    def history(self, execution: str) -> list[dict[str, Any]] | None:
        """In the place of `step_functions.history`."""
        self.asked += 1
        return self.histories.get(execution)

    def tail(self, *, stream: str, lines: int, since: int = 0, **_: str) -> list[str]:
        """In the place of `logs.tail`."""
        return self.written.get(stream.rpartition("/")[2], [])[self.old if since else 0 :][-lines:]

    def newer(
        self, *, stream: str, token: str = "", lines: int = 100, since: int = 0, **_: str
    ) -> tuple[list[str], str]:
        """In the place of `logs.newer`."""
        known = self.written.get(stream.rpartition("/")[2], [])
        last = self.tail(stream=stream, lines=lines, since=since)
        return (known[int(token) :] if token else last), str(len(known))

    def log_of(self, push: Push) -> list[str]:
        """The log of a push's task, as a list to which lines can be added."""
        number = int(push.deployment.removeprefix("push-"))
        return self.written.setdefault(f"{number:032x}", [])

    def invoke(self, _: Target, words: Mapping[str, str]) -> dict[str, Any]:
        """In the place of `operating.invoke`: the function of the stack."""
        if words["action"] not in self.actions:
            return {"status": "refused", "reason": f"The action must be one of: {', '.join(self.actions)}."}
        if self.refusal:
            return {"status": "refused", "reason": self.refusal}
        current = ledger.current(app=words["app"])
        known = ledger.deployments(app=words["app"])
        chosen = next((each for each in known if each.deployment == words.get("to")), current)
        assert chosen
        answer = {"app": words["app"], "tag": chosen.tag, "digest": chosen.digest}
        if words.get("dry_run"):
            return {"status": "possible", **answer}
        self.acted.append(dict(words))
        if words["action"] == "stop":
            return {"status": "stopped", **answer}
        return {"status": "started", "deployment": f"{words['action']}-{words['id']}", **answer}

    def push(self, app: str, tag: str = "latest", ago: float = 0.0) -> tuple[Push, int]:
        """A push that AdmitPush has admitted."""
        self.count += 1
        number, at = self.count, self.now - ago
        push = Push(f"push-{number:05}", iso(at), app, tag, f"sha256:{number * 7919:07x}{number:057x}")
        self.pushes.append(push)
        sequence = ledger.next_in_order(push=push, now=self.now + 1e6).number
        execution = f"arn:aws:states:eu-west-1:111122223333:execution:deploy:{push.deployment}"
        ledger.claim(push=push, execution=execution, sequence=sequence)
        ledger.note_in_order(push=push, sequence=sequence)
        self.histories[execution] = passed("AdmitPush", at, 0.4)
        return push, sequence

    def goes(self, push: Push, *events: dict[str, Any]) -> None:
        """An execution continues."""
        self.histories[f"arn:aws:states:eu-west-1:111122223333:execution:deploy:{push.deployment}"] += events

    def take_over(self, push: Push, sequence: int, url: str = "", **facts: Any) -> None:
        """The push becomes the current deployment, and its mail is sent."""
        number = int(push.deployment.removeprefix("push-"))
        url = url or f"http://203.0.113.{number % 250}:3000/"
        task = f"arn:aws:ecs:eu-west-1:111122223333:task/portcall/{number:032x}"
        revision = f"arn:aws:ecs:eu-west-1:111122223333:task-definition/portcall_{push.repository}:{number}"
        new = Current(push.deployment, sequence, task, url, push.digest, push.tag, revision, push.time, **facts)
        seen = ledger.current(app=push.app)
        assert ledger.make_current(push=push, new=new, seen=seen)
        phases = {
            "admit": "1.2",
            "read": "0.3",
            "register": "0.4",
            "run": "0.9",
            "start": "18.1",
            "address": "0.6",
        }
        facts = {"url": url, "phases": {**phases, "answer": "2.4"}, "task": task, "revision": revision}
        ledger.record(push=push, outcome="deployed", **facts)
        ledger.mark_notified(push=push)

    def live(self, app: str, tag: str = "latest", *, ago: float = 3600.0, **facts: Any) -> Push:
        """A push that went live."""
        push, sequence = self.push(app, tag, ago)
        self.take_over(push, sequence, **facts)
        return push

    def fail(self, app: str, tag: str = "latest", *, ago: float = 300.0, **facts: Any) -> Push:
        """A push that failed."""
        push, _ = self.push(app, tag, ago)
        self.end(push, **facts)
        return push

    def end(self, push: Push, **facts: Any) -> None:
        """A push fails."""
        known = {
            "reason": "It ended with exit code 1 before it answered.",
            "error": "TaskStoppedError",
            "summary": "failed to start",
            "hint": "Read the last lines of the log.",
            "log": FAILED_LOG,
            "phases": {"admit": "1.0", "read": "0.3", "register": "0.4", "run": "1.1", "start": "12.5"},
        }
        ledger.record(push=push, outcome="failed", **{**known, **facts})
        ledger.mark_notified(push=push)
