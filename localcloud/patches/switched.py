"""What `localcloud.switches` switches on.

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
from localcloud.patches.patch import Function, wrap
from localcloud.switches import Switches

LATE_SECONDS = 3.0
# As ECS writes it, with a typographic apostrophe.
QUOTA_REACHED = (
    "You\N{RIGHT SINGLE QUOTATION MARK}ve reached the limit on the number of vCPUs you can run concurrently"
)


def install(settings: Settings) -> None:
    switches = settings.switches
    if switches.late_events:
        events.delay = lambda: random.uniform(0.0, LATE_SECONDS)  # noqa: S311 - a delay, no secret
    if switches.targets_twice:
        wrap(eventbridge, "_invoke_target", _twice)
    if switches.ec2_behind:
        _keep_ec2_behind(switches.ec2_behind)
    if switches.tasks_behind:
        _keep_tasks_behind(switches.tasks_behind)
    if switches.vcpus:
        wrap(ecs, "_run_task", _within_quota(switches.vcpus))
    if switches.idle_functions:
        wrap(sfn, "_call_lambda", _wake_up(switches))


def _twice(original: Function) -> Function:
    def invoke_target(target: Any, event: dict[str, Any], *rest: Any) -> Any:
        if event["Source"].startswith("aws."):
            original(target, event, *rest)
        return original(target, event, *rest)

    return invoke_target


def _keep_ec2_behind(seconds: float) -> None:
    made: AccountScopedDict = AccountScopedDict()

    def is_new(name: str) -> bool:
        return bool(time.monotonic() < made.get(name, 0.0) + seconds)

    def note_interface(original: Function) -> Function:
        def record_task_ip(task: dict[str, Any], *rest: Any) -> Any:
            before = set(ec2._network_interfaces)
            answer = original(task, *rest)
            for name in set(ec2._network_interfaces) - before:
                made[name] = time.monotonic()
            return answer

        return record_task_ip

    def hide_interfaces(original: Function) -> Function:
        def describe_network_interfaces(params: dict[str, Any]) -> Any:
            for name in ec2._parse_member_list(params, "NetworkInterfaceId"):
                if is_new(name):
                    message = f"The networkInterface ID '{name}' does not exist"
                    return ec2._error("InvalidNetworkInterfaceID.NotFound", message, 400)
            return original(params)

        return describe_network_interfaces

    def note_group(original: Function) -> Function:
        def create_security_group(params: dict[str, Any]) -> Any:
            before = set(ec2._security_groups)
            answer = original(params)
            for name in set(ec2._security_groups) - before:
                made[name] = time.monotonic()
            return answer

        return create_security_group

    def hide_group(original: Function) -> Function:
        def authorize_sg_ingress(params: dict[str, Any]) -> Any:
            group = ec2._p(params, "GroupId")
            if is_new(group):
                message = f"The security group '{group}' does not exist"
                return ec2._error("InvalidGroup.NotFound", message, 400)
            return original(params)

        return authorize_sg_ingress

    wrap(ecs, "_record_task_ip", note_interface)
    wrap(ec2, "_describe_network_interfaces", hide_interfaces)
    wrap(ec2, "_create_security_group", note_group)
    wrap(ec2, "_authorize_sg_ingress", hide_group)


def _keep_tasks_behind(seconds: float) -> None:
    """Tasks are shown as they were that long ago; a task is known by its events."""
    history: dict[str, list[tuple[float, dict[str, Any]]]] = {}

    def note(task: dict[str, Any]) -> None:
        history.setdefault(task["taskArn"], []).append((time.monotonic(), task))

    def as_it_was(arn: str) -> dict[str, Any] | None:
        then = time.monotonic() - seconds
        return next((task for at, task in reversed(history.get(arn, [])) if at <= then), None)

    def describe(original: Function) -> Function:
        def describe_tasks(data: dict[str, Any]) -> Any:
            status, _headers, body = original(data)
            answer = json.loads(body)
            shown = [(task, as_it_was(task["taskArn"])) for task in answer.get("tasks", [])]
            answer["tasks"] = [task | then for task, then in shown if then]
            answer["failures"] = answer.get("failures", []) + [
                {"arn": task["taskArn"], "reason": "MISSING"} for task, then in shown if not then
            ]
            return json_response(answer, status)

        return describe_tasks

    def list_(original: Function) -> Function:
        def list_tasks(data: dict[str, Any]) -> Any:
            status, _headers, body = original(data)
            answer = json.loads(body)
            answer["taskArns"] = [arn for arn in answer.get("taskArns", []) if as_it_was(arn)]
            return json_response(answer, status)

        return list_tasks

    ecs_events.watchers.append(note)
    wrap(ecs, "_describe_tasks", describe)
    wrap(ecs, "_list_tasks", list_)


def _within_quota(vcpus: float) -> Any:
    lock = threading.Lock()

    def wrapper(original: Function) -> Function:
        def run_task(data: dict[str, Any]) -> Any:
            definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition", ""))) or {}
            with lock:
                used = sum(
                    _vcpus(task.get("cpu")) for task in ecs._tasks.values() if task["lastStatus"] != "STOPPED"
                )
                if used + _vcpus(definition.get("cpu")) * data.get("count", 1) > vcpus:
                    failure = {"arn": data.get("cluster", "default"), "reason": QUOTA_REACHED}
                    return json_response({"tasks": [], "failures": [failure]})
                return original(data)

        return run_task

    return wrapper


def _vcpus(units: Any) -> float:
    return float(units or 0) / 1024


def _wake_up(switches: Switches) -> Any:
    """A function in a VPC is inactive when it is first called, and ready so many seconds later."""
    ready_at: dict[str, float] = {}

    def wrapper(original: Function) -> Function:
        def call_lambda(function: str, event: Any) -> Any:
            _record, config, _name = lambda_svc._get_func_record_for_ref(function)
            if config and (config.get("VpcConfig") or {}).get("SubnetIds"):
                ready = ready_at.setdefault(config["FunctionArn"], time.monotonic() + switches.idle_functions)
                if time.monotonic() < ready:
                    cause = (
                        "The function is inactive and its VPC connection is no longer available. "
                        f"(Service: Lambda, Status Code: 502, Request ID: {new_uuid()})"
                    )
                    raise sfn._ExecutionError("Lambda.ResourceNotReadyException", cause)
            return original(function, event)

        return call_lambda

    return wrapper
