"""The behaviour that `localcloud.switches` turns on.

MiniStack: answers at once and consistently, and has no quotas.
AWS: is eventually consistent, delivers events late and twice, and has quotas.
    https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
Upstream: none known
Kind: option (PORTCALL_SWITCHES)
"""

from __future__ import annotations

import json
import random
import threading
import time
from typing import Any

from ministack.core.responses import AccountScopedDict, json_response, new_uuid
from ministack.services import ec2, ecs, eventbridge, lambda_svc
from ministack.services import stepfunctions as sfn

from localcloud.options import Settings
from localcloud.patches.ecs import ecs_events
from localcloud.patches.eventbridge import events
from localcloud.patches.patch import Function, patch

LATE_SECONDS = 3.0
# ECS's text, with a typographic apostrophe.
QUOTA_REACHED = (
    "You\N{RIGHT SINGLE QUOTATION MARK}ve reached the limit on the number of vCPUs you can run concurrently"
)


def prepare(settings: Settings) -> None:
    if settings.switches.late_events:
        events.delay = lambda: random.uniform(0.0, LATE_SECONDS)  # noqa: S311 - a delay, no secret
    if settings.switches.tasks_behind:
        ecs_events.watchers.append(_note_task)


@patch(eventbridge, "_invoke_target", when=lambda settings: settings.switches.targets_twice)
def _invoke_twice(original: Function, target: Any, event: dict[str, Any], *rest: Any) -> Any:
    if event["Source"].startswith("aws."):
        original(target, event, *rest)
    return original(target, event, *rest)


# When a network interface or a security group was created.
_made_at: AccountScopedDict = AccountScopedDict()


def _ec2_is_behind(settings: Settings) -> float:
    return settings.switches.ec2_behind


def _is_new(name: str, settings: Settings) -> bool:
    return bool(time.monotonic() < _made_at.get(name, 0.0) + settings.switches.ec2_behind)


@patch(ecs, "_record_task_ip", when=_ec2_is_behind)
def _note_interface(original: Function, task: dict[str, Any], *rest: Any) -> Any:
    before = set(ec2._network_interfaces)
    answer = original(task, *rest)
    for name in set(ec2._network_interfaces) - before:
        _made_at[name] = time.monotonic()
    return answer


@patch(ec2, "_describe_network_interfaces", when=_ec2_is_behind)
def _hide_interfaces(original: Function, params: dict[str, Any], *, settings: Settings) -> Any:
    for name in ec2._parse_member_list(params, "NetworkInterfaceId"):
        if _is_new(name, settings):
            message = f"The networkInterface ID '{name}' does not exist"
            return ec2._error("InvalidNetworkInterfaceID.NotFound", message, 400)
    return original(params)


@patch(ec2, "_create_security_group", when=_ec2_is_behind)
def _note_group(original: Function, params: dict[str, Any]) -> Any:
    before = set(ec2._security_groups)
    answer = original(params)
    for name in set(ec2._security_groups) - before:
        _made_at[name] = time.monotonic()
    return answer


@patch(ec2, "_authorize_sg_ingress", when=_ec2_is_behind)
def _hide_group(original: Function, params: dict[str, Any], *, settings: Settings) -> Any:
    group = ec2._p(params, "GroupId")
    if _is_new(group, settings):
        return ec2._error("InvalidGroup.NotFound", f"The security group '{group}' does not exist", 400)
    return original(params)


# With `tasks_behind`, tasks are shown as they were that many seconds ago, from their events.
_history: dict[str, list[tuple[float, dict[str, Any]]]] = {}


def _note_task(task: dict[str, Any]) -> None:
    _history.setdefault(task["taskArn"], []).append((time.monotonic(), task))


def _as_it_was(arn: str, settings: Settings) -> dict[str, Any] | None:
    then = time.monotonic() - settings.switches.tasks_behind
    return next((task for at, task in reversed(_history.get(arn, [])) if at <= then), None)


def _tasks_are_behind(settings: Settings) -> float:
    return settings.switches.tasks_behind


@patch(ecs, "_describe_tasks", when=_tasks_are_behind)
def _describe_as_they_were(original: Function, data: dict[str, Any], *, settings: Settings) -> Any:
    status, _headers, body = original(data)
    answer = json.loads(body)
    shown = [(task, _as_it_was(task["taskArn"], settings)) for task in answer.get("tasks", [])]
    answer["tasks"] = [task | then for task, then in shown if then]
    answer["failures"] = answer.get("failures", []) + [
        {"arn": task["taskArn"], "reason": "MISSING"} for task, then in shown if not then
    ]
    return json_response(answer, status)


@patch(ecs, "_list_tasks", when=_tasks_are_behind)
def _list_as_they_were(original: Function, data: dict[str, Any], *, settings: Settings) -> Any:
    status, _headers, body = original(data)
    answer = json.loads(body)
    answer["taskArns"] = [arn for arn in answer.get("taskArns", []) if _as_it_was(arn, settings)]
    return json_response(answer, status)


_quota_lock = threading.Lock()


@patch(ecs, "_run_task", when=lambda settings: settings.switches.vcpus)
def _run_within_quota(original: Function, data: dict[str, Any], *, settings: Settings) -> Any:
    definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition", ""))) or {}
    with _quota_lock:
        used = sum(_vcpus(task.get("cpu")) for task in ecs._tasks.values() if task["lastStatus"] != "STOPPED")
        wanted = _vcpus(definition.get("cpu")) * data.get("count", 1)
        if used + wanted > settings.switches.vcpus:
            failure = {"arn": data.get("cluster", "default"), "reason": QUOTA_REACHED}
            return json_response({"tasks": [], "failures": [failure]})
        return original(data)


def _vcpus(units: Any) -> float:
    return float(units or 0) / 1024


# ARN of a function in a VPC -> when it is ready after its first call.
_ready_at: dict[str, float] = {}


@patch(sfn, "_call_lambda", when=lambda settings: settings.switches.idle_functions)
def _wake_up(original: Function, function: str, event: Any, *, settings: Settings) -> Any:
    """A function in a VPC is inactive when it is first called, and ready so many seconds later."""
    _record, config, _name = lambda_svc._get_func_record_for_ref(function)
    if config and (config.get("VpcConfig") or {}).get("SubnetIds"):
        seconds = settings.switches.idle_functions
        ready = _ready_at.setdefault(config["FunctionArn"], time.monotonic() + seconds)
        if time.monotonic() < ready:
            cause = (
                "The function is inactive and its VPC connection is no longer available. "
                f"(Service: Lambda, Status Code: 502, Request ID: {new_uuid()})"
            )
            raise sfn._ExecutionError("Lambda.ResourceNotReadyException", cause)
    return original(function, event)
