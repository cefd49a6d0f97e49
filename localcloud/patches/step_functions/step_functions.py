"""Step Functions' failures and callbacks, and executions that begin at once.

MiniStack: loses error names and failed callbacks, and waits 0.15 s before each execution.
AWS: hands a function's or a callback's error name to Retry and Catch.
    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
Upstream: none known, ready to send:
    docs/upstream/step-functions-execution-timeout.md
    docs/upstream/step-functions-start-execution-again.md
    docs/upstream/step-functions-token-of-a-retry.md
Kind: core
"""

from __future__ import annotations

import contextvars
import functools
import json
import random
import threading
import time
import types
from typing import Any

from ministack.core.responses import error_response_json, json_response, new_uuid, now_iso
from ministack.services import stepfunctions as sfn

from localcloud.options import Settings
from localcloud.patches.patch import Function, patch

_execution: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("execution", default=None)
_is_starting: contextvars.ContextVar[bool] = contextvars.ContextVar("is_starting", default=False)
_callback: contextvars.ContextVar[str] = contextvars.ContextVar("callback_token", default="")

# Every issued token, with its execution; a token for which no state waits has timed out.
_given_out: dict[str, dict[str, Any] | None] = {}
_ended_tokens: set[str] = set()
_tokens_lock = threading.Lock()


@patch(sfn, "_call_lambda")
def _name_throttling(original: Function, function: str, event: Any) -> Any:
    try:
        return original(function, event)
    except sfn._ExecutionError as error:
        if error.error == "Lambda.Unknown" and "TooManyRequestsException" in str(error.cause):
            cause = f"Rate Exceeded. (Service: Lambda, Status Code: 429, Request ID: {new_uuid()})"
            raise sfn._ExecutionError("Lambda.TooManyRequestsException", cause) from error
        raise


@patch(sfn, "_call_lambda")
def _fail_callback(original: Function, function: str, event: Any) -> Any:
    """If a function fails, fail its waitForTaskToken task, which MiniStack would leave waiting.

    The function runs on its own thread, because the task's time-out counts from the call, and the token may be
    used while it runs.
    """
    token = _callback.get()
    if not token:
        return original(function, event)
    waiting = sfn._task_tokens.get(token)

    def run() -> None:
        _callback.set("")
        try:
            original(function, event)
        except sfn._ExecutionError as error:
            with _tokens_lock:
                if not waiting["event"].is_set():
                    waiting["error"] = {"Error": error.error, "Cause": error.cause}
                    waiting["event"].set()

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    return None


@patch(sfn, "_invoke_with_callback")
def _track_token(original: Function, resource: str, input_data: Any, token: str, state: dict[str, Any]) -> Any:
    _given_out[token] = _execution.get()
    reset = _callback.set(token)
    try:
        return original(resource, input_data, token, state)
    finally:
        _callback.reset(reset)
        _ended_tokens.add(token)


@patch(sfn, "_apply_jsonata_arguments")
@patch(sfn, "_apply_parameters")
def _new_token_for_each_attempt(
    original: Function, state: dict[str, Any], data: Any, ctx: dict[str, Any] | None = None
) -> Any:
    """Issue a new token for each attempt. With a single one, a late answer would end the next attempt."""
    task = (ctx or {}).get("Task") or {}
    if task.get("Token") in _ended_tokens:
        task["Token"] = new_uuid()
    return original(state, data, ctx)


@patch(sfn, "_send_task_success")
def _succeed(_original: Function, data: dict[str, Any]) -> Any:
    return _complete(data, {"result": data.get("output", "{}")})


@patch(sfn, "_send_task_failure")
def _fail(_original: Function, data: dict[str, Any]) -> Any:
    return _complete(data, {"error": {"Error": data.get("error", ""), "Cause": data.get("cause", "")}})


def _complete(data: dict[str, Any], outcome: dict[str, Any]) -> Any:
    with _tokens_lock:
        refused = _refusal(data.get("taskToken", ""))
        if refused:
            return refused
        waiting = sfn._task_tokens.get(data["taskToken"])
        waiting.update(outcome)
        waiting["event"].set()
    return json_response({})


@patch(sfn, "_send_task_heartbeat")
def _refuse_ended_tokens(original: Function, data: dict[str, Any]) -> Any:
    return _refusal(data.get("taskToken", "")) or original(data)


def _refusal(token: str) -> Any:
    """The error answer for a token that no state waits for, None if a state waits for it."""
    waiting = sfn._task_tokens.get(token)
    execution = _given_out.get(token)
    over = execution is not None and execution["status"] != "RUNNING"
    if waiting and not waiting["event"].is_set() and not over:
        return None
    if waiting or token in _given_out:
        message = "Task Timed Out: 'Provided task does not exist anymore'"
        return error_response_json("TaskTimedOut", message, 400)
    return error_response_json("InvalidToken", "Invalid Token: 'Invalid token'", 400)


@patch(sfn, "_find_matching_retrier")
def _delay_as_requested(original: Function, retriers: Any, error: str, counts: dict[int, int]) -> Any:
    """Support MaxDelaySeconds and JitterStrategy, by returning a retrier with the calculated delay.

    Nothing is retried once the execution was ended from outside.
    """
    retrier, index = original(retriers, error, counts)
    execution = _execution.get()
    if retrier is None or (execution and execution["status"] != "RUNNING"):
        return None, index
    delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** counts.get(index, 0)
    delay = min(delay, retrier.get("MaxDelaySeconds", delay))
    if retrier.get("JitterStrategy") == "FULL":
        delay = random.uniform(0, delay)  # noqa: S311 - a delay, no secret
    return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1.0}, index


class _Time(types.ModuleType):
    """MiniStack's `time`, without the pause of 0.15 s with which it begins each execution."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        if _is_starting.get():
            _is_starting.set(False)
        else:
            time.sleep(seconds)


def prepare(_settings: Settings) -> None:
    sfn.time = _Time("time")


@functools.lru_cache
def _time_limit(definition: str) -> Any:
    return json.loads(definition).get("TimeoutSeconds")


@patch(sfn, "_run_execution")
def _time_out(original: Function, execution_arn: str) -> None:
    """TimeoutSeconds of the state machine: the execution ends as TIMED_OUT, whatever its states catch."""
    execution = sfn._executions.get(execution_arn)
    if not execution:
        return
    machine = sfn._state_machines.get(execution["stateMachineArn"]) or {}
    limit = _time_limit(machine.get("definition") or "{}")

    def expire() -> None:
        if execution["status"] == "RUNNING":
            execution.update(status="TIMED_OUT", error="States.Timeout", stopDate=now_iso())
            sfn._add_event(execution, "ExecutionTimedOut", {})
            sfn._emit_execution_status_event(execution)

    timer = threading.Timer(limit, contextvars.copy_context().run, (expire,)) if limit else None
    if timer:
        timer.daemon = True
        timer.start()
    reset = _execution.set(execution)
    _is_starting.set(True)
    try:
        original(execution_arn)
    finally:
        _execution.reset(reset)
        if timer:
            timer.cancel()


@patch(sfn, "_fail_execution")
def _only_while_running(original: Function, execution: dict[str, Any], error: str, cause: str) -> None:
    if execution["status"] == "RUNNING":
        original(execution, error, cause)


@patch(sfn, "_start_execution")
def _answer_again_while_running(original: Function, data: dict[str, Any]) -> Any:
    """StartExecution by name is idempotent while the execution runs, as long as the input is the same."""
    machine = sfn._state_machines.get(data.get("stateMachineArn")) or {}
    if data.get("name") and machine:
        account, region = sfn.get_account_id(), sfn.get_region()
        arn = f"arn:aws:states:{region}:{account}:execution:{machine['name']}:{data['name']}"
        running = sfn._executions.get(arn)
        if running and running["status"] == "RUNNING" and running["input"] == data.get("input", "{}"):
            return json_response({"executionArn": arn, "startDate": running["startDate"]})
    return original(data)
