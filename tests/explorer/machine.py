"""Interprets the workflow's definition: its tasks call the real handlers."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any

from deployer.domain.errors import BranchError, DeployError

from tests import templates
from tests.conftest import LambdaContext
from tests.explorer.aws import ACCOUNT, Cloud, refuse
from tests.explorer.clock import Died, Process

Document = dict[str, Any]
# What comes after a state with `End: true`.
END = ""


class Left(BaseException):
    """Another process continues the execution."""


class Failed(Exception):
    """The error of a state."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


@dataclass(eq=False)
class Execution:
    """`states` are the entered states. `status` is Step Functions' status."""

    arn: str
    name: str
    input: Document
    document: Document
    states: list[str]
    process: Process | None = None
    status: str = "RUNNING"
    error: str = ""
    cause: str = ""
    ended: float = 0.0
    # Number of the retrier -> how often it retried the state.
    tried: dict[int, int] = field(default_factory=dict)
    # The token that may still be answered, and the answer.
    token: str = ""
    answer: Document | None = None
    waits: bool = False


@cache
def definition() -> Document:
    return templates.definition(r"function:\1")


@cache
def handler_of(state: str) -> Callable[[Any, Any], Any]:
    module = import_module("deployer.steps." + re.sub(r"(?<!^)(?=[A-Z])", "_", state).lower())
    found: Callable[[Any, Any], Any] = module.handler
    return found


class Machine:
    """Runs executions, each as a process of the cloud's clock."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.executions: dict[str, Execution] = {}
        # A retrier's wait in seconds with full jitter: always the longest.
        self.jitter: Callable[[float], float] = lambda wait: wait
        cloud.start, cloud.describe, cloud.answer_token = self.start, self.describe, self.answer

    def start(self, name: str, document: Document, *, after: float = 0.1) -> None:
        known = self.executions.get(name)
        if known and known.status == "RUNNING" and known.input == document:
            return
        if known:
            raise refuse("StartExecution", "ExecutionAlreadyExists")
        arn = f"arn:aws:states:eu-west-1:{ACCOUNT}:execution:deploy:{name}"
        execution = self.executions[name] = Execution(arn, name, document, json.loads(json.dumps(document)), [])
        begin = definition()["StartAt"]
        execution.process = self.cloud.clock.spawn(name, lambda: self._run(execution, begin), after=after)

    def describe(self, arn: str) -> Document | None:
        found = self.executions.get(arn.rpartition(":")[2])
        if found is None:
            return None
        stopped = datetime.fromtimestamp(found.ended, UTC)
        return {"status": found.status, "error": found.error, "cause": found.cause, "stopDate": stopped}

    def answer(self, token: str, answer: Document) -> bool:
        execution = self.executions[token.rpartition("#")[0]]
        if execution.status != "RUNNING" or execution.token != token:
            return False
        execution.token, execution.answer = "", answer
        self._wake(execution)
        return True

    def abort(self, execution: Execution) -> None:
        """Like StopExecution: a running function continues, and no further state is entered."""
        if execution.status == "RUNNING":
            execution.status, execution.ended = "ABORTED", self.cloud.clock.now
            self._wake(execution)

    def lose(self, process: Process) -> Process | None:
        """Step Functions loses the connection to a running function; both continue."""
        execution = self.running(process)
        if execution is None or execution.status != "RUNNING":
            return None
        lost = Failed("Lambda.SdkClientException", "The connection was closed")
        execution.process = self.cloud.clock.spawn(
            execution.name, lambda: self._run(execution, execution.states[-1], lost=lost)
        )
        return execution.process

    def running(self, process: Process) -> Execution | None:
        """The execution that runs in a process."""
        return next((each for each in self.executions.values() if each.process is process), None)

    def _wait(self, execution: Execution, seconds: float) -> None:
        execution.waits = True
        self.cloud.clock.wait(seconds)
        execution.waits = False

    def _wake(self, execution: Execution) -> None:
        if execution.waits and execution.process:
            self.cloud.clock.wake(execution.process)

    def _run(self, execution: Execution, name: str, *, lost: Failed | None = None) -> None:
        """Continue from a state, which has already begun if its answer was `lost`."""
        while execution.status == "RUNNING":
            if not lost:
                execution.states.append(name)
                execution.tried = {}
            state = definition()["States"][name]
            if state["Type"] == "Task":
                try:
                    name = self._task(execution, name, state, lost)
                except Left:
                    return
                if name == END:
                    self._end(execution, {"Type": "Succeed"})
            else:
                self._end(execution, state)
            lost = None

    def _end(self, execution: Execution, state: Document) -> None:
        execution.ended = self.cloud.clock.now
        if state["Type"] == "Fail":
            execution.status = "FAILED"
            execution.error = str(_path(state["ErrorPath"], execution.document))
            execution.cause = str(_path(state["CausePath"], execution.document))
        else:
            execution.status = "SUCCEEDED"

    def _task(self, execution: Execution, name: str, state: Document, lost: Failed | None) -> str:
        while True:
            try:
                if lost:
                    failure, lost = lost, None
                    raise failure
                result = self._once(execution, name, state, sum(execution.tried.values()))
                _put(state["ResultPath"], execution.document, result)
                return str(state.get("Next", END))
            except Failed as failure:
                if execution.status != "RUNNING":
                    return name
                again = _retrier(state, failure.error, execution.tried)
                if again is not None:
                    retrier, wait = again
                    jittered = retrier.get("JitterStrategy") == "FULL"
                    self._wait(execution, self.jitter(wait) if jittered else wait)
                    if execution.status != "RUNNING":
                        return name
                    continue
                catcher = _rule(state["Catch"], failure.error)
                caught = {"Error": failure.error, "Cause": failure.cause}
                _put(catcher["ResultPath"], execution.document, caught)
                return str(catcher["Next"])

    def _once(self, execution: Execution, name: str, state: Document, retries: int) -> Any:
        waits = "waitForTaskToken" in state["Resource"]
        token = f"{execution.name}#{len(execution.states)}.{retries}"
        if waits:
            execution.token, execution.answer = token, None
        context = {
            "Execution": {"Id": execution.arn},
            "State": {"RetryCount": retries},
            "Task": {"Token": token},
        }
        template = state["Parameters"]["Payload"] if waits else state.get("Parameters")
        event = _fill(template, execution.document, context) if template else execution.document
        answer = self._invoke(execution, name, event)
        if not waits:
            return answer
        if execution.answer is None and execution.status == "RUNNING":
            self._wait(execution, state["TimeoutSeconds"])
        execution.token, answer = "", execution.answer
        if answer is None:
            raise Failed("States.Timeout", "")
        if "error" in answer:
            raise Failed(answer["error"], answer["cause"])
        return answer["output"]

    def _invoke(self, execution: Execution, name: str, event: Any) -> Any:
        process = self.cloud.clock.at_work
        assert process
        process.call_again = lambda: self.lose(process)
        try:
            return self._call(process, name, event)
        finally:
            if execution.process is not process:
                raise Left

    def _call(self, process: Process, name: str, event: Any) -> Any:
        try:
            self.cloud.call(f"start {name}", lambda: None)
            try:
                answer = handler_of(name)(json.loads(json.dumps(event)), LambdaContext())
            except BranchError:
                self.cloud.call(f"end {name}", lambda: None)
                raise
            # A result that is not JSON must raise an error.
            answer = json.loads(json.dumps(answer))
            self.cloud.call(f"end {name}", lambda: None)
            return answer
        except Died as died:
            process.died = False
            raise Failed(process.dies_of, f"RequestId: 1 Error: {died}") from died
        except Exception as error:
            if not isinstance(error, DeployError):
                self.cloud.bugs.append(f"{name}: {error!r}")
            cause = {"errorType": type(error).__name__, "errorMessage": str(error)}
            raise Failed(type(error).__name__, json.dumps(cause)) from error


def _rule(catchers: list[Document], error: str) -> Document:
    """The catcher of an error, the first that names it."""
    return next(each for each in catchers if {error, "States.ALL"} & set(each["ErrorEquals"]))


def _retrier(state: Document, error: str, tried: dict[int, int]) -> tuple[Document, float] | None:
    """The retrier and its longest wait in seconds, None if there is no retry."""
    for number, retrier in enumerate(state["Retry"]):
        if error in retrier["ErrorEquals"]:
            before = tried.get(number, 0)
            if before >= retrier["MaxAttempts"]:
                return None
            tried[number] = before + 1
            wait = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** before
            return retrier, float(min(wait, retrier.get("MaxDelaySeconds", wait)))
    return None


def _look_up(path: str, document: Any) -> tuple[bool, Any]:
    for part in path.removeprefix("$").strip(".").split("."):
        if part:
            if not isinstance(document, dict) or part not in document:
                return False, None
            document = document[part]
    return True, document


def _path(path: str, document: Any) -> Any:
    there, value = _look_up(path, document)
    if not there:
        raise Failed("States.Runtime", f"{path} is not there")
    return value


def _fill(template: Document, document: Document, context: Document) -> Document:
    filled = {}
    for name, value in template.items():
        if name.endswith(".$"):
            where = context if value.startswith("$$") else document
            filled[name.removesuffix(".$")] = _path(value.replace("$$", "$"), where)
        else:
            filled[name] = value
    return filled


def _put(path: str, document: Document, value: Any) -> None:
    document[path.removeprefix("$.")] = value
