"""The real definition, on a real interpreter of it, calling the real handlers; only AWS's APIs are played.

The interpreter is the embedded cloud's Step Functions, in this process and without its waiting.
"""

import contextlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

os.environ["SFN_WAIT_SCALE"] = "0"  # read when MiniStack is imported

from deployer import failing, mailing, probe
from deployer.aws import ec2, ecr, ecs, events, ledger, logs, meeting, sns, step_functions
from deployer.domain.errors import DeployError
from deployer.domain.mail import Mail
from deployer.domain.task import Task
from deployer.steps import record_task_state
from ministack.services import stepfunctions as interpreter

from portcall.local.options import Settings
from portcall.local.seams import step_functions as seam
from tests.conftest import LambdaContext

ROOT = Path(__file__).parents[2]
URL = "http://203.0.113.7:3000/"


@dataclass
class World:
    """What AWS's APIs know and are told. Tests set the upper half and read the lower."""

    # Set: how the next task behaves, and exceptions by the name of the aws function that raises them.
    states: list[Task] = field(default_factory=list)
    answers: int | None = 200
    bad: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    faults: dict[str, list[Exception | Callable[[], object]]] = field(default_factory=dict)
    each_step_twice: bool = False
    lost_events: bool = False
    tags: dict[tuple[str, str], str] = field(default_factory=dict)

    pushed_at: dict[str, int] = field(default_factory=dict)
    apps: dict[str, str] = field(default_factory=dict)
    dead: dict[str, Task] = field(default_factory=dict)
    strangers: list[tuple[Task, str, dict[str, str]]] = field(default_factory=list)

    # Read.
    revisions: list[dict[str, Any]] = field(default_factory=list)
    started: dict[str, str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    mails: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    steps: list[tuple[str, Any]] = field(default_factory=list)

    def may_fail(self, name: str) -> None:
        """Raise the next fault of a call, or do what is to happen at that very moment.

        Calls go by the name of their function in `aws`, steps by that of their state; `<name> answer` is when
        it has taken effect.
        """
        if self.faults.get(name):
            fault = self.faults[name].pop(0)
            if isinstance(fault, Exception):
                raise fault
            fault()

    def running_tasks(self) -> list[tuple[Task, str, dict[str, str]]]:
        ours = [
            (
                Task(arn, "RUNNING", "RUNNING", 3, interface="eni-1"),
                by,
                {"portcall:app": self.apps.get(arn, "flask-app"), "portcall:deployment": by},
            )
            for by, arn in self.started.items()
            if arn not in self.stopped and arn not in self.dead
        ]
        return ours + self.strangers

    def tagged_images(self, repository: str) -> list[ecr.Image]:
        return [
            ecr.Image(digest, (tag,), self.pushed_at.get(digest, 0))
            for (name, tag), digest in self.tags.items()
            if name == repository
        ]

    def live(self) -> set[str]:
        return set(self.started.values()) - set(self.stopped) - set(self.dead)

    def abort(self) -> None:
        """Abort the execution that makes the call, as StopExecution does; the step itself goes on."""
        interpreter._stop_execution({"executionArn": seam._execution.get()["executionArn"]})

    def again(self, step: str) -> None:
        """Run a step once more with what it was given last: its first run was slow, or its answer lost."""
        event = next(event for name, event in reversed(self.steps) if name == step)
        with contextlib.suppress(DeployError):
            module_of(step).handler(json.loads(json.dumps(event)), LambdaContext())


class LambdaDied(Exception):
    """What Lambda says of a function that did not end by itself."""


def module_of(state: str) -> Any:
    return import_module("deployer.steps." + re.sub(r"(?<!^)(?=[A-Z])", "_", state).lower())


@dataclass
class Execution:
    status: str
    error: str
    cause: str
    output: dict[str, Any]
    states: list[str]


ARN = "arn:aws:ecs:eu-west-1:111122223333:task/portcall/"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, ledger_table: Callable[[], None]) -> World:
    """A world in which everything goes well, until a test says otherwise."""
    world = World()

    def register(request: dict[str, Any]) -> str:
        world.may_fail("register_task_definition")
        world.revisions.append(request)
        world.may_fail("register_task_definition answer")
        return f"arn:aws:ecs:eu-west-1:111122223333:task-definition/{request['family']}:{len(world.revisions)}"

    def run(*, client_token: str, **request: Any) -> str:
        arn = world.started.setdefault(client_token, ARN + uuid.uuid4().hex)
        # After the start, as an answer can be lost.
        world.may_fail("run_task")
        if not world.lost_events:
            for state in world.states or running(arn):
                deliver(state.__class__(**{**vars(state), "arn": arn}))
        return arn

    def deliver(task: Task) -> None:
        interface = {"type": "eni", "details": [{"name": "networkInterfaceId", "value": task.interface}]}
        container = {"name": "app"} | ({} if task.exit_code is None else {"exitCode": task.exit_code})
        detail = {
            "taskArn": task.arn,
            "lastStatus": task.last_status,
            "desiredStatus": task.desired_status,
            "version": task.version,
            "stopCode": task.stop_code,
            "stoppedReason": task.stopped_reason,
            "attachments": [interface] if task.interface else [],
            "containers": [container],
        }
        record_task_state.handler({"id": "news", "detail": detail}, LambdaContext())

    def describe(*, cluster: str, task: str) -> Task | None:
        world.may_fail("describe_task")
        if task in world.dead:
            return world.dead[task]
        state = (world.states or running(task))[-1]
        return state.__class__(**{**vars(state), "arn": task})

    def stop(*, cluster: str, task: str, reason: str) -> None:
        world.may_fail("stop_task")
        world.stopped.append(task)
        world.may_fail("stop_task answer")

    def put_event(**event: Any) -> None:
        world.may_fail("put_event")
        world.events.append(event)

    def may_fail_first(module: Any, name: str) -> None:
        original = getattr(module, name)

        def call(**arguments: Any) -> Any:
            world.may_fail(name)
            answer = original(**arguments)
            world.may_fail(f"{name} answer")
            return answer

        monkeypatch.setattr(module, name, call)

    for name in (
        "claim",
        "next_in_order",
        "note_admitted",
        "last_in_order",
        "current",
        "make_current",
        "change_current",
        "give_up",
        "record",
        "mark_told",
        "mails_this_second",
        "open_deployments",
        "close",
        "end_sweep",
    ):
        may_fail_first(ledger, name)
    may_fail_first(meeting, "store_token")

    def publish(*, topic: str, news: Mail) -> str:
        world.may_fail("publish")
        world.mails.append(vars(news))
        world.may_fail("publish answer")
        return "message"

    def addresses(*, interface: str) -> tuple[str, str]:
        world.may_fail("addresses")
        tasks = [arn.rpartition("/")[2] for arn in world.started.values()]
        name = interface.removeprefix("eni-")
        number = 7 + tasks.index(name) if name in tasks else 7
        return f"203.0.113.{number}", f"10.0.0.{number}"

    def wait_until_answers(url: str, *, timeout: float, still_worth_it: Callable[[], None]) -> int | None:
        world.may_fail("probe")
        still_worth_it()
        number = int(url.split("/")[2].partition(":")[0].rpartition(".")[2]) - 7
        return None if list(world.started)[number] in world.bad else world.answers

    def tell(operation: str, **arguments: str) -> bool:
        status, _, _ = getattr(interpreter, f"_{operation}")(arguments)
        return bool(status == 200)

    for module, name, replacement in (
        (ecs, "register_task_definition", register),
        (ecs, "run_task", run),
        (ecs, "describe_task", describe),
        (ecs, "stop_task", stop),
        (ecs, "tasks_started_by", lambda *, cluster, started_by: [world.started[started_by]] if started_by in world.started else []),
        (ecs, "running_tasks", lambda *, cluster: world.running_tasks()),
        (ecr, "repositories", lambda: sorted({repository for repository, _ in world.tags})),
        (ecr, "tagged_images", lambda *, repository: world.tagged_images(repository)),
        (ecr, "digest_of", lambda *, repository, tag: world.tags.get((repository, tag), "")),
        (events, "put_event", put_event),
        (ec2, "addresses", addresses),
        (sns, "publish", publish),
        (logs, "tail", lambda *, group, stream, lines: world.log[-lines:]),
        (probe, "wait_until_answers", wait_until_answers),
        (step_functions, "_answer", tell),
        (failing, "PAUSE", 0.0),
        # Retries take no time here, so no second would pass until the next mail may go out.
        (mailing, "MAILS_A_SECOND", 1_000_000),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, replacement)
    return world


def running(arn: str) -> list[Task]:
    """The news of a task that starts as it should; its interface is called after it."""
    interface = f"eni-{arn.rpartition('/')[2]}"
    return [Task(arn, "PENDING", "RUNNING", 2), Task(arn, "RUNNING", "RUNNING", 3, interface=interface)]


def stopped(arn: str = "", **how: Any) -> Task:
    return Task(arn, "STOPPED", "STOPPED", 6, **how)


@pytest.fixture(scope="session")
def _seam() -> None:
    seam.install(Settings(port=1, account="123456789012", region="us-east-1", state_dir=Path("/nowhere"), lambda_python=Path("/nowhere")))  # fmt: skip


@pytest.fixture
def deploy(world: World, _seam: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Execution]]:
    """`deploy(event)` runs the workflow to its end; waits for callbacks time out after a second."""
    text = (ROOT / "statemachine/deploy.asl.yaml").read_text()
    definition = yaml.safe_load(
        re.sub(r"\$\{(\w+)FunctionArn\}", r"arn:aws:lambda:us-east-1:1:function:\1", text)
    )
    definition["States"]["WaitForRunning"]["TimeoutSeconds"] = 1

    at_work: list[str] = []

    def call(function: str, event: Any) -> Any:
        name = function.rsplit(":", 1)[-1]
        step = module_of(name)
        execution = seam._execution.get()
        if execution["status"] != "RUNNING":
            raise interpreter._ExecutionError("Aborted", "No state is entered any more.")
        world.steps.append((name, event))
        at_work.append(execution["executionArn"])
        try:
            world.may_fail(name)
            if world.each_step_twice:
                step.handler(json.loads(json.dumps(event)), LambdaContext())
            # As over the wire: what is not JSON must not get by.
            answer = json.loads(json.dumps(step.handler(json.loads(json.dumps(event)), LambdaContext())))
            world.may_fail(f"{name} answer")
            return answer
        except LambdaDied as error:
            raise interpreter._ExecutionError(str(error), f"RequestId: 1 Error: {error}") from error
        except Exception as error:
            cause = {"errorType": type(error).__name__, "errorMessage": str(error)}
            raise interpreter._ExecutionError(type(error).__name__, json.dumps(cause)) from error
        finally:
            at_work.remove(execution["executionArn"])

    # `_invoke_with_callback` goes through the seam, which holds on to the function below it.
    monkeypatch.setattr(
        interpreter, "_extract_lambda_ref", lambda resource: resource if ":function:" in resource else None
    )
    monkeypatch.setattr(interpreter, "_resolve_lambda_function_ref", lambda value, optimized: value)
    # It waits a moment before each execution; nothing else there sleeps with SFN_WAIT_SCALE=0.
    monkeypatch.setattr(interpreter, "time", SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None}))
    from ministack.services import lambda_svc

    monkeypatch.setattr(lambda_svc, "_get_func_record_for_ref", lambda ref: ({"ref": ref}, {"ref": ref}, ref))
    monkeypatch.setattr(lambda_svc, "_execution_record_for_config", lambda func, config: func)

    def execute(record: dict[str, str], event: Any) -> dict[str, Any]:
        try:
            return {"body": call(record["ref"], event)}
        except interpreter._ExecutionError as error:
            with contextlib.suppress(ValueError):
                return {"error": True, "body": json.loads(error.cause)}
            return {"error": True, "body": {"errorType": error.error, "errorMessage": error.cause}}

    monkeypatch.setattr(lambda_svc, "_execute_function_with_config_scope", execute)
    machine = f"machine-{uuid.uuid4().hex}"
    _, _, body = interpreter._create_state_machine(
        {"name": machine, "definition": json.dumps(definition), "roleArn": "arn:aws:iam::000000000000:role/any"}
    )
    arn = json.loads(body)["stateMachineArn"]

    def start(*, machine: str, name: str, document: dict[str, Any]) -> bool:
        world.may_fail("start_execution")
        request = {"stateMachineArn": arn, "name": name, "input": json.dumps(document)}
        status, _, body = interpreter._start_execution(request)
        if status == 200:
            follow(json.loads(body)["executionArn"])
        return bool(status == 200)

    def ending(execution: str) -> step_functions.Ending | None:
        known = interpreter._executions.get(execution)
        if known is None:
            return step_functions.Ending("GONE")
        said = (known.get("error") or "", known.get("cause") or "")
        return None if known["status"] == "RUNNING" else step_functions.Ending(known["status"], *said)

    monkeypatch.setattr(step_functions, "start_execution", start)
    monkeypatch.setattr(step_functions, "ending", ending)

    def follow(execution_arn: str) -> Execution:
        execution = interpreter._executions[execution_arn]
        deadline = time.monotonic() + 30
        # A step goes on when its execution is aborted.
        while (execution["status"] == "RUNNING" or execution_arn in at_work) and time.monotonic() < deadline:
            time.sleep(0.01)
        entered = [each["stateEnteredEventDetails"]["name"] for each in execution["events"] if "stateEnteredEventDetails" in each]  # fmt: skip
        output = json.loads(execution.get("output") or "{}")
        return Execution(
            execution["status"], execution.get("error") or "", execution.get("cause") or "", output, entered
        )

    def run(event: dict[str, Any], *, moves_the_tag: bool = True) -> Execution:
        detail = event["detail"]
        if moves_the_tag:
            world.tags[detail.get("repository-name", ""), detail.get("image-tag", "")] = detail.get(
                "image-digest", ""
            )
        _, _, started = interpreter._start_execution({"stateMachineArn": arn, "input": json.dumps(event)})
        return follow(json.loads(started)["executionArn"])

    yield run
    interpreter._delete_state_machine({"stateMachineArn": arn})
