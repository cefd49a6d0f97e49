"""The real definition, a real interpreter, and the real handlers; only AWS's APIs are faked.

The interpreter is the embedded cloud's Step Functions, in this process and without waiting.
"""

import contextlib
import functools
import json
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

os.environ["SFN_WAIT_SCALE"] = "0"  # read when MiniStack is imported

from deployer.actions import failure_facts, mail_limit, probe
from deployer.aws import apigateway, ec2, ecr, ecs, events, ledger, logs, sns, ssm, step_functions, task_states
from deployer.aws import client as clients
from deployer.domain.endpoint import NOWHERE, StableUrl
from deployer.domain.errors import BranchError, DeployError, NoAnswerError
from deployer.domain.findings import Scan
from deployer.domain.mail import Mail
from deployer.domain.task import Task
from deployer.events import record_task_state, restart_app
from deployer.settings import settings
from deployer.steps import check_stable_url
from ministack.services import stepfunctions as interpreter

from localcloud.options import Settings
from localcloud.patches import patch
from localcloud.patches.step_functions import step_functions as step_functions_patch
from tests import templates
from tests.aws_requests import Requests, checked_requests, checking
from tests.conftest import LambdaContext
from tests.explorer.dynamodb import Table

ROOT = Path(__file__).parents[2]
URL = "http://203.0.113.7:3000/"


# A single-platform image, as `docker push` uploads it.
IMAGE = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {
        "mediaType": "application/vnd.docker.container.image.v1+json",
        "size": 1,
        "digest": f"sha256:{'c' * 64}",
    },
    "layers": [
        {
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "size": 1,
            "digest": f"sha256:{'d' * 64}",
        }
    ],
}


@dataclass
class World:
    """The state of AWS's APIs, and the calls of them. Tests set the upper half and read the lower."""

    # To set: how the next task behaves, and exceptions by the name of the aws function that raises them.
    states: list[Task] = field(default_factory=list)
    answers: int | None = 200
    bad: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    faults: dict[str, list[BaseException | Callable[[], object]]] = field(default_factory=dict)
    each_step_twice: bool = False
    lost_events: bool = False
    # Called with each client token; may raise ECS's refusal.
    before_run_task: Callable[[str], object] = lambda token: None
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    # The registry's content by digest, if it is not the image of `manifest()`.
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=lambda: {"Cmd": ["app"]})
    parameters: set[str] = field(default_factory=set)
    listens: list[int] | None = None
    speaks_tls: bool = False
    location: str = ""
    groups: list[ec2.Group] = field(default_factory=list)
    # The results of reading an image's scan, one after the other; the last one stays. Empty means no scan.
    scans: list[Scan] = field(default_factory=list)

    # Digests of images that are gone from the registry.
    gone: set[str] = field(default_factory=set)
    pushed_at: dict[str, int] = field(default_factory=dict)
    apps: dict[str, str] = field(default_factory=dict)
    dead: dict[str, Task] = field(default_factory=dict)
    strangers: list[tuple[Task, str, dict[str, str]]] = field(default_factory=list)

    # To read.
    revisions: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    opened: list[dict[str, Any]] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    held: list[dict[str, Any]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    scanned: list[tuple[str, str]] = field(default_factory=list)
    started: dict[str, str] = field(default_factory=dict)
    answers_of_run_task: dict[str, str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    # The id of each HTTP API -> its app and target.
    apis: dict[str, dict[str, str]] = field(default_factory=dict)
    # Tasks that were stopped while a stable URL pointed at them.
    cut_off: list[str] = field(default_factory=list)
    mails: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    steps: list[tuple[str, Any]] = field(default_factory=list)

    def may_fail(self, name: str) -> None:
        """Raise the next fault of a call, or run what must happen at that moment.

        Calls are named by their function in `aws`, steps by their state; `<name> answer` is after it has taken
        effect.
        """
        if self.faults.get(name):
            fault = self.faults[name].pop(0)
            if isinstance(fault, BaseException):
                raise fault
            fault()

    def tags_of(self, started_by: str) -> dict[str, str]:
        """The tags of a task; a task that a test added has the app's tags."""
        found = [request["tags"] for request in self.tasks if request["started_by"] == started_by]
        return {tag["key"]: tag["value"] for tags in found for tag in tags} or {
            "portcall:app": "flask-app",
            "portcall:deployment": started_by,
        }

    def repositories(self) -> list[str]:
        self.may_fail("repositories")
        return sorted({repository for repository, _ in self.tags})

    def running_tasks(self) -> list[tuple[Task, str, dict[str, str]]]:
        self.may_fail("running_tasks")
        ours = [
            (
                Task(arn, "RUNNING", "RUNNING", 3, interface="eni-1"),
                by,
                self.tags_of(by) | ({"portcall:app": self.apps[arn]} if arn in self.apps else {}),
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

    def task_at(self, url: str) -> str:
        """The task with the IP of a URL, '' if it is not one of ours."""
        number = url.split("/")[2].partition(":")[0].rpartition(".")[2]
        tasks = list(self.started.values())
        return tasks[int(number) - 7] if number.isdecimal() else ""

    def live(self) -> set[str]:
        return set(self.started.values()) - set(self.stopped) - set(self.dead)

    def abort(self) -> None:
        """Abort the calling execution, like StopExecution; the running step continues."""
        interpreter._stop_execution({"executionArn": step_functions_patch._execution.get()["executionArn"]})

    def again(self, step: str) -> None:
        """Run a step again with its last input, as if its first run was slow or its answer lost."""
        event = next(event for name, event in reversed(self.steps) if name == step)
        with contextlib.suppress(DeployError):
            module_of(step).handler(json.loads(json.dumps(event)), LambdaContext())


class LambdaDied(Exception):
    """Lambda's error for a function that was killed."""


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


@pytest.fixture(autouse=True)
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[Requests]:
    """Fail a test whose requests AWS would refuse, also those of faked functions."""
    yield from checked_requests(monkeypatch)


@pytest.fixture
def ledger_table(ledger_in_memory: Table) -> Callable[[], None]:
    """An empty ledger; call it for another one."""
    return ledger_in_memory.items.clear


@pytest.fixture
def installed_at(ledger_in_memory: Table, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`installed_at(time)` sets when the stack was installed (UNIX seconds); otherwise, just before each sweep."""
    return lambda time: monkeypatch.setattr(ledger_in_memory, "created_at", float(time))


@pytest.fixture
def _dynamodb(ledger_in_memory: Table) -> Any:
    return clients.client("dynamodb")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, ledger_table: Callable[[], None], requests: Requests) -> World:
    """A world without faults, unless a test sets them."""
    world = World()

    def register(request: dict[str, Any]) -> str:
        world.may_fail("register_task_definition")
        world.revisions.append(request)
        world.may_fail("register_task_definition answer")
        return f"arn:aws:ecs:eu-west-1:111122223333:task-definition/{request['family']}:{len(world.revisions)}"

    def run(*, client_token: str, **request: Any) -> str:
        world.before_run_task(client_token)
        world.may_fail(f"run_task on {request['capacity_provider']}")
        arn = world.answers_of_run_task.setdefault(client_token, ARN + uuid.uuid4().hex)
        started_by = request["started_by"]
        # A second task of the same deployment is a mistake, and must be visible.
        twice = world.started.get(started_by, arn) != arn
        world.started[client_token if twice else started_by] = arn
        world.tasks.append(request)
        # After the start, because the answer can be lost.
        world.may_fail("run_task")
        if not world.lost_events:
            for state in world.states or running(arn):
                deliver(state.__class__(**{**vars(state), "arn": arn}))
        return arn

    def deliver(task: Task) -> None:
        interface = {"type": "eni", "details": [{"name": "networkInterfaceId", "value": task.interface}]}
        container = {"name": "app", "imageDigest": task.digest, "reason": task.container_reason} | (
            {} if task.exit_code is None else {"exitCode": task.exit_code}
        )
        detail = {
            "taskArn": task.arn,
            "lastStatus": task.last_status,
            "desiredStatus": task.desired_status,
            "version": task.version,
            "stopCode": task.stop_code,
            "stoppedReason": task.stopped_reason,
            "attachments": [interface] if task.interface else [],
            "containers": [container],
        } | {name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in task.launch().items()}
        record_task_state.handler({"id": "news", "detail": detail}, LambdaContext())

    def tasks_started_by(*, cluster: str, started_by: str) -> list[str]:
        world.may_fail("tasks_started_by")
        return [world.started[started_by]] if started_by in world.started else []

    def describe(*, cluster: str, task: str) -> Task | None:
        world.may_fail("describe_task")
        if task in world.dead:
            return world.dead[task]
        state = (world.states or running(task))[-1]
        return state.__class__(**{**vars(state), "arn": task})

    def stop(*, cluster: str, task: str, reason: str) -> None:
        world.may_fail("stop_task")
        world.stopped.append(task)
        if task not in world.dead and any(world.task_at(api["target"]) == task for api in world.apis.values()):
            world.cut_off.append(task)
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
        "name_app",
        "claim",
        "next_in_order",
        "note_in_order",
        "put_image",
        "is_newest",
        "current",
        "make_current",
        "change_current",
        "end_current",
        "abandon",
        "record",
        "mark_notified",
        "mails_this_second",
        "app_pushes",
        "open_deployments",
        "close",
        "close_push",
        "note_sweep",
        "end_sweep",
    ):
        may_fail_first(ledger, name)
    may_fail_first(task_states, "store_token")

    def publish(*, topic: str, mail: Mail) -> str:
        world.may_fail("publish")
        world.mails.append(vars(mail))
        world.may_fail("publish answer")
        return "message"

    def addresses(*, interface: str) -> tuple[str, str]:
        world.may_fail("addresses")
        tasks = [arn.rpartition("/")[2] for arn in world.started.values()]
        name = interface.removeprefix("eni-")
        number = 7 + tasks.index(name) if name in tasks else 7
        return f"203.0.113.{number}", f"10.0.0.{number}"

    def wait_until_answers(
        urls: list[str],
        *,
        timeout: float,
        raise_if_stopped: Callable[[], None],
        asked_for: float = 0.0,
        patience: dict[str, float] | None = None,
    ) -> probe.Answer:
        if urls[0].startswith("https://api-"):
            return answer_of_address(urls[0])
        world.may_fail("probe")
        raise_if_stopped()
        number = list(world.started.values()).index(world.task_at(urls[0]))
        answering = [url for url in urls if world.listens is None or int(url.split(":")[2].split("/")[0]) in world.listens]  # fmt: skip
        if list(world.started)[number] in world.bad or world.answers is None or not answering:
            raise NoAnswerError("The app is running, but did not answer within 2 seconds: it was not asked.")
        url = answering[0].replace("http:", "https:") if world.speaks_tls else answering[0]
        return probe.Answer(url, world.answers, world.location)

    def answer_of_address(url: str) -> probe.Answer:
        world.may_fail("ask_address")
        api = world.apis[url.removeprefix("https://").partition(".")[0]]
        if world.task_at(api["target"]) not in world.live():
            raise NoAnswerError(
                "The app is running, but did not answer within 60 seconds: it answered 503 on /."
            )
        return probe.Answer(url, 200)

    def create_stable_url(*, stack: str, app: str) -> StableUrl:
        world.may_fail("create_stable_url")
        known = [name for name, api in world.apis.items() if api["app"] == app]
        name = known[0] if known else f"api-{len(world.apis) + 1}"
        world.apis.setdefault(name, {"app": app, "target": NOWHERE})
        return StableUrl(name, f"https://{name}.example/")

    def update_target(*, stable_url: StableUrl, app: str, target: str) -> None:
        world.may_fail("update_target")
        if stable_url.api in world.apis:
            world.apis[stable_url.api] = {"app": app, "target": target}

    def stable_urls_of(*, stack: str) -> list[apigateway.HttpApi]:
        world.may_fail("stable_urls_of")
        return [
            apigateway.HttpApi(StableUrl(name, f"https://{name}.example/"), api["app"], api["target"])
            for name, api in world.apis.items()
        ]

    def digest_of(*, repository: str, tag: str) -> str:
        world.may_fail("digest_of")
        found = world.tags.get((repository, tag), "")
        world.may_fail("digest_of answer")
        return found

    def manifest(*, repository: str, digest: str, media_types: tuple[str, ...]) -> str:
        world.may_fail("manifest")
        return json.dumps(world.manifests.get(digest, IMAGE))

    def blob(*, repository: str, digest: str) -> str:
        world.may_fail("blob")
        return json.dumps({"os": "linux", "architecture": "amd64", "config": world.configuration})

    def scan_findings(*, repository: str, digest: str) -> Scan:
        world.may_fail("scan_findings")
        world.scanned.append((repository, digest))
        return world.scans.pop(0) if len(world.scans) > 1 else next(iter(world.scans), Scan())

    def open_ports(**arguments: Any) -> str:
        world.may_fail("open_ports")
        world.opened.append(arguments)
        return f"sg-{arguments['name'].replace(' ', '-')}"

    def hold_rules(**arguments: Any) -> list[str]:
        world.held.append(arguments)
        return []

    def parameters(*, path: str) -> dict[str, str]:
        world.may_fail("parameters")
        names = {arn: arn.partition(":parameter")[2].rpartition("/") for arn in world.parameters}
        return {name: arn for arn, (folder, _, name) in names.items() if f"{folder}/" == path}

    def tail(*, group: str, stream: str, lines: int) -> list[str]:
        world.may_fail("tail")
        return world.log[-lines:]

    def succeed(*, token: str, output: dict[str, Any]) -> bool:
        status, _, _ = interpreter._send_task_success({"taskToken": token, "output": json.dumps(output)})
        return bool(status == 200)

    def fail(*, token: str, error: str, cause: str) -> bool:
        failure = json.dumps({"errorType": error, "errorMessage": cause})
        status, _, _ = interpreter._send_task_failure({"taskToken": token, "error": error, "cause": failure})
        return bool(status == 200)

    for module, name, replacement in (
        (ecs, "register_task_definition", register),
        (ecs, "run_task", run),
        (ecs, "describe_task", describe),
        (ecs, "stop_task", stop),
        (ecs, "tasks_started_by", tasks_started_by),
        (ecs, "running_tasks", lambda *, cluster: world.running_tasks()),
        (ecr, "repositories", world.repositories),
        (ecr, "tagged_images", lambda *, repository: world.tagged_images(repository)),
        (ecr, "digest_of", digest_of),
        (ecr, "has_image", lambda *, repository, digest: digest not in world.gone),
        (events, "put_event", put_event),
        (ec2, "addresses", addresses),
        (ec2, "open_ports", open_ports),
        (ec2, "groups_of", lambda *, stack: list(world.groups)),
        (ec2, "hold_rules", hold_rules),
        (ec2, "delete_group", lambda group: world.removed.append(group) or True),
        (ec2, "close_ports", lambda *, group, ports: world.closed.extend(ports)),
        (apigateway, "create_stable_url", create_stable_url),
        (apigateway, "update_target", update_target),
        (apigateway, "stable_urls_of", stable_urls_of),
        (apigateway, "delete_stable_url", lambda api: world.apis.pop(api, None)),
        (ecr, "manifest", manifest),
        (ecr, "blob", blob),
        (ecr, "scan_findings", scan_findings),
        (ssm, "parameters", parameters),
        (sns, "publish", publish),
        (logs, "tail", tail),
        (probe, "wait_until_answers", wait_until_answers),
        (step_functions, "send_task_success", succeed),
        (step_functions, "send_task_failure", fail),
        (failure_facts, "LOG_READ_PAUSE_SECONDS", 0.0),
        (check_stable_url, "SETTLE_SECONDS", 0.0),
        # Retries take no time here, so the second of the mail limit would never pass.
        (mail_limit, "MAX_MAILS_PER_SECOND", 1_000_000),
    ):  # fmt: skip
        if hasattr(module, "client"):
            replacement = checking(requests, module, name, replacement)
        monkeypatch.setattr(module, name, replacement)
    return world


@pytest.fixture
def stable_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Apps get a stable URL."""
    monkeypatch.setenv("STABLE_URL", "on")
    settings.cache_clear()
    yield
    settings.cache_clear()


def running(arn: str) -> list[Task]:
    """The event of a running task, with an interface named after it."""
    interface = f"eni-{arn.rpartition('/')[2]}"
    return [Task(arn, "PENDING", "RUNNING", 2), Task(arn, "RUNNING", "RUNNING", 3, interface=interface)]


def stopped(arn: str = "", **how: Any) -> Task:
    return Task(arn, "STOPPED", "STOPPED", 6, **how)


@pytest.fixture(scope="session")
def _patched() -> None:
    patch.apply(step_functions_patch, Settings(port=1, account="123456789012", region="us-east-1", state_dir=Path("/nowhere"), lambda_python=Path("/nowhere"), root_secret=""))  # fmt: skip


@functools.cache
def definition() -> str:
    """The real definition as JSON, with a time-out of a second for `WaitForRunning`."""
    found = templates.definition(r"arn:aws:lambda:us-east-1:1:function:\1")
    found["States"]["WaitForRunning"]["TimeoutSeconds"] = 1
    return json.dumps(found)


# The same definition, for each test.
_refused = functools.cache(interpreter._validate_definition_jsonata)


@pytest.fixture
def deploy(
    world: World, requests: Requests, _patched: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Execution]]:
    """`deploy(event)` runs the workflow to its end; waits for callbacks time out after a second."""
    at_work: list[str] = []
    # Notified when an execution has ended, and when the last function of one that was aborted has.
    something_ended = threading.Condition()

    def call(function: str, event: Any) -> Any:
        name = function.rsplit(":", 1)[-1]
        step = module_of(name)
        execution = step_functions_patch._execution.get()
        if execution["status"] != "RUNNING":
            raise interpreter._ExecutionError("Aborted", "No state is entered any more.")
        world.steps.append((name, event))
        at_work.append(execution["executionArn"])
        try:
            world.may_fail(name)
            if world.each_step_twice:
                with contextlib.suppress(BranchError):
                    step.handler(json.loads(json.dumps(event)), LambdaContext())
            try:
                # As over the wire: a result that is not JSON must raise an error.
                answer = json.loads(json.dumps(step.handler(json.loads(json.dumps(event)), LambdaContext())))
            except BranchError:
                world.may_fail(f"{name} answer")
                raise
            world.may_fail(f"{name} answer")
            return answer
        except LambdaDied as error:
            raise interpreter._ExecutionError(str(error), f"RequestId: 1 Error: {error}") from error
        except Exception as error:
            cause = {"errorType": type(error).__name__, "errorMessage": str(error)}
            raise interpreter._ExecutionError(type(error).__name__, json.dumps(cause)) from error
        finally:
            with something_ended:
                at_work.remove(execution["executionArn"])
                if execution["status"] != "RUNNING":
                    something_ended.notify_all()

    run_to_the_end = interpreter._run_execution

    def run_execution(execution: str) -> None:
        try:
            run_to_the_end(execution)
        finally:
            with something_ended:
                something_ended.notify_all()

    monkeypatch.setattr(interpreter, "_run_execution", run_execution)
    # `_invoke_with_callback` goes through the patch, which holds on to the function below it.
    monkeypatch.setattr(
        interpreter, "_extract_lambda_ref", lambda resource: resource if ":function:" in resource else None
    )
    monkeypatch.setattr(interpreter, "_resolve_lambda_function_ref", lambda value, optimized: value)
    # Nothing takes long here, so a task needs no thread of its own that could be left behind.
    monkeypatch.setattr(
        interpreter,
        "_invoke_resource_with_timeout",
        lambda resource, document, timeout: interpreter._invoke_resource(resource, document),
    )
    monkeypatch.setattr(interpreter, "_validate_definition_jsonata", _refused)
    # The interpreter waits a moment before each execution; with SFN_WAIT_SCALE=0 nothing else sleeps.
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
        {"name": machine, "definition": definition(), "roleArn": "arn:aws:iam::000000000000:role/any"}
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

    monkeypatch.setattr(
        step_functions, "start_execution", checking(requests, step_functions, "start_execution", start)
    )
    monkeypatch.setattr(step_functions, "ending", ending)
    monkeypatch.setattr(
        step_functions,
        "execution_of",
        lambda *, machine, name: f"{arn.replace(':stateMachine:', ':execution:')}:{name}",
    )

    def follow(execution_arn: str) -> Execution:
        execution = interpreter._executions[execution_arn]
        deadline = time.monotonic() + 30
        # A step continues when its execution is aborted.
        with something_ended:
            while (
                execution["status"] == "RUNNING" or execution_arn in at_work
            ) and time.monotonic() < deadline:
                something_ended.wait(0.01)
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


@pytest.fixture
def stop(world: World) -> Callable[..., None]:
    """`stop()` ends the current task, and delivers its event more than once, like AWS."""

    def current(app: str) -> ledger.Current:
        found = ledger.current(app=app)
        assert found
        return found

    def current_task(
        *,
        arn: str = "",
        code: str = "EssentialContainerExited",
        started_by: str = "",
        times: int = 2,
        app: str = "flask-app",
        **how: Any,
    ) -> None:
        arn = arn or current(app).task
        world.dead[arn] = Task(arn, "STOPPED", "STOPPED", 6, stop_code=code, **{"exit_code": 1, **how})
        detail = {
            "taskArn": arn,
            "lastStatus": "DEPROVISIONING",
            "desiredStatus": "STOPPED",
            "stopCode": code,
            "startedBy": started_by,
            "taskDefinitionArn": current(app).revision,
            "containers": [{"name": "app", "exitCode": 1}],
        }
        for _ in range(times):
            restart_app.handler({"id": "stop", "detail": detail}, LambdaContext())

    return current_task
