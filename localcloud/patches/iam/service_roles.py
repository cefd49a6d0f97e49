"""Permissions for calls from one service to another.

MiniStack: lets its services call each other without checking IAM.
AWS: checks the role, or the resource's policy, for each such call.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_terms-and-concepts.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

import contextvars
import json
import logging
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import eventbridge, iam, lambda_svc, stepfunctions

from localcloud.patches.patch import Function, patch

log = logging.getLogger("portcall.service_roles")

# The role of this thread's execution.
_execution_role: contextvars.ContextVar[tuple[str, str]] = contextvars.ContextVar(
    "execution_role", default=("", "")
)


def role_allows(
    role_arn: str, *, service: str, action: str, resource: str, keys: dict[str, str] | None = None
) -> bool:
    """Whether a service can assume the role and the role allows the action; condition keys in lower case."""
    role_name = role_arn.rsplit("/", 1)[-1]
    account = get_account_id()
    role = iam._roles.get_scoped(account, None, role_name)
    if role is None or not _trusts(role.get("AssumeRolePolicyDocument", ""), service):
        return False
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{role_name}/{service.partition('.')[0]}",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context=keys or {},
    )
    policies = iam_evaluator._gather_role_policies(role_name, account)
    limits = iam_evaluator._permissions_boundary(iam._roles, role_name, account)
    return bool(iam_evaluator.evaluate(context, policies, *limits).decision == "Allow")


def _trusts(document: Any, service: str) -> bool:
    parsed = json.loads(document) if isinstance(document, str) and document else document or {}
    statements = parsed.get("Statement", [])
    return any(
        statement.get("Effect") == "Allow"
        and iam_evaluator._service_principal_matches(statement.get("Principal"), service)
        for statement in (statements if isinstance(statements, list) else [statements])
    )


def _policy_allows(function_arn: str, *, service: str, source_arn: str) -> bool:
    """Whether the function's resource policy lets a service invoke it for a rule."""
    found = lambda_svc.function_policy_for_arn(function_arn)
    if found is None:
        return True  # The function does not exist; the delivery itself reports that.
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="lambda:InvokeFunction",
        resource_arn=function_arn,
        region=get_region(),
        service_context={"aws:sourcearn": source_arn, "aws:sourceaccount": get_account_id()},
    )
    return bool(iam_evaluator.evaluate_resource_policy(found[0], context, service=service).decision == "Allow")


@patch(eventbridge, "_invoke_target")
def _ask_before_delivery(
    original: Function, target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None
) -> None:
    arn = target.get("Arn", "")
    service = "scheduler.amazonaws.com" if event.get("Source") == "aws.scheduler" else "events.amazonaws.com"
    role = target.get("RoleArn", "")
    try:
        kind = parse_arn(arn).service
    except ArnParseError:
        kind = ""
    if kind == "states":
        allowed = role_allows(role, service=service, action="states:StartExecution", resource=arn)
    elif kind == "lambda" and role:
        allowed = role_allows(role, service=service, action="lambda:InvokeFunction", resource=arn)
    elif kind == "lambda":
        allowed = _policy_allows(arn, service=service, source_arn=rule.get("Arn", ""))
    else:
        allowed = True
    if allowed:
        original(target, event, rule, view)
        return
    log.warning("%s may not deliver to %s (role %r)", service, arn, role)
    dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if dead_letters:
        # Permission errors are not retried: the event goes to the dead-letter queue at once.
        shown = view or eventbridge._pattern_event_view(event)
        eventbridge._dispatch_to_sqs(parse_arn(dead_letters), json.dumps(shown.event_with_detail()))


@patch(stepfunctions, "_run_execution")
def _remember_role(original: Function, execution_arn: str) -> None:
    execution = stepfunctions._executions.get(execution_arn) or {}
    machine = stepfunctions._state_machines.get(execution.get("stateMachineArn")) or {}
    token = _execution_role.set((machine.get("roleArn", ""), execution.get("name", "")))
    try:
        original(execution_arn)
    finally:
        _execution_role.reset(token)


@patch(stepfunctions, "_call_lambda")
def _ask_before_invoke(original: Function, function: str, event: Any) -> Any:
    role, execution = _execution_role.get()
    if role:
        arn = function if function.startswith("arn:") else lambda_svc._func_arn(function)
        if not role_allows(role, service="states.amazonaws.com", action="lambda:InvokeFunction", resource=arn):
            user = f"arn:aws:sts::{get_account_id()}:assumed-role/{role.rsplit('/', 1)[-1]}/{execution}"
            raise stepfunctions._ExecutionError(
                "Lambda.AWSLambdaException",
                f"User: {user} is not authorized to perform: lambda:InvokeFunction on resource: {arn} "
                "because no identity-based policy allows the lambda:InvokeFunction action (Service: "
                f"Lambda, Status Code: 403, Request ID: {new_uuid()})",
            )
    return original(function, event)
