"""The resources and condition keys of a call, for IAM.

Resources, condition keys and additional actions are those of the link below.

MiniStack: checks ECS calls against their cluster, roles without their path, rules of the default bus with its
    name; has no log streams, no dashboards and few condition keys.
AWS: checks each call against its resource, with the service's condition keys.
    https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
Upstream: none known
Kind: core
"""

from __future__ import annotations

import contextvars
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from ministack.core import iam_actions, iam_evaluator
from ministack.services import apigateway, ec2, ecr, ecs, iam

from localcloud.patches.patch import Function, patch

# Additional checks of the request: (action, resource, condition keys).
_also: contextvars.ContextVar[Sequence[tuple[str, str, dict[str, Any]]]] = contextvars.ContextVar(
    "also", default=()
)
_refused: contextvars.ContextVar[tuple[str, str] | None] = contextvars.ContextVar("refused", default=None)
_OURS = ("apigateway", "ec2", "ecr", "ecs", "events")
_NONE: Mapping[str, Any] = MappingProxyType({})
# Condition keys from the request.
_keys: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar("keys", default=_NONE)


@patch(iam_actions, "extract_resource_arn")
def _resource(
    original: Function,
    service: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query: Any,
    region: str,
    account: str,
) -> str:
    _also.set([])
    _refused.set(None)
    _keys.set({})
    found = str(original(service, method, path, headers, body, query, region, account))
    try:
        request = json.loads(body or b"{}") if service in ("ecr", "ecs", "events", "logs") else {}
    except ValueError:
        request = {}
    if service == "logs" and found != "*" and not found.endswith(":*"):
        # A policy names a log group with `:*`, which covers its streams.
        return f"{found}:log-stream:{request.get('logStreamName') or ''}"
    if service == "monitoring" and (name := iam_actions._param(body, query, "DashboardName")):
        # These ARNs have no region.
        return f"arn:aws:cloudwatch::{account}:dashboard/{name}"
    if service == "apigateway":
        return _of_http_api(method, found, body, region)
    if service == "ecr":
        return _of_repository(request, found)
    if service == "ec2":
        return _of_security_group(query, f"arn:aws:ec2:{region}:{account}", found)
    if service == "events":
        _keys.set({"events:source": [entry.get("Source") for entry in request.get("Entries") or []]})
        return found.replace(":rule/default/", ":rule/")
    if service == "iam" and ":role/" in found:
        return str((iam._roles.get(found.partition(":role/")[2]) or {}).get("Arn") or found)
    if service != "ecs":
        return found
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    arn = f"arn:aws:ecs:{region}:{account}"
    cluster = str(request.get("cluster") or "default").rpartition("cluster/")[2]
    in_cluster = {"ecs:cluster": f"{arn}:cluster/{cluster}"}
    _keys.set(in_cluster)
    if action in ("RunTask", "RegisterTaskDefinition"):
        return _of_task_definition(action, request, arn, cluster)
    if action in ("StopTask", "DescribeTasks"):
        tasks: list[str] = [request.get("task", "")] if action == "StopTask" else request.get("tasks") or []
        arns = [task if task.startswith("arn:") else f"{arn}:task/{cluster}/{task}" for task in tasks]
        _also.set([(f"ecs:{action}", each, in_cluster) for each in arns[1:]])
        return arns[0] if arns else f"{arn}:task/{cluster}/*"
    if action == "DeleteTaskDefinitions":
        arns = [
            each if each.startswith("arn:") else f"{arn}:task-definition/{each}"
            for each in request.get("taskDefinitions") or []
        ]
        _also.set([(f"ecs:{action}", each, {}) for each in arns[1:]])
        return arns[0] if arns else "*"
    if action == "ListTasks":
        return f"{arn}:container-instance/{cluster}/*"
    if action in ("DeregisterTaskDefinition", "DescribeTaskDefinition", "ListTaskDefinitions"):
        return "*"
    return found


def _of_task_definition(action: str, request: dict[str, Any], arn: str, cluster: str) -> str:
    keys: dict[str, Any]
    if action == "RunTask":
        key = ecs._resolve_td_key(request.get("taskDefinition", ""))
        definition = ecs._task_defs.get(key) or {}
        resource, tagged = f"{arn}:task-definition/{key}", f"{arn}:task/{cluster}/new"
        keys = {"ecs:enable-execute-command": _said(bool(request.get("enableExecuteCommand")))}
        volumes = request.get("volumeConfigurations") or []
        keys["ecs:enable-ebs-volumes"] = _said(any("managedEBSVolume" in each for each in volumes))
    else:
        definition = request
        resource = f"{arn}:task-definition/{request.get('family', '')}:*"
        tagged = resource
        privileged = any(each.get("privileged") for each in request.get("containerDefinitions") or [])
        keys = {"ecs:privileged": _said(privileged)}
        if request.get("requiresCompatibilities"):
            keys["ecs:compute-compatibility"] = request["requiresCompatibilities"]
    _keys.set({**_keys.get(), **keys})
    also: list[tuple[str, str, dict[str, Any]]] = [
        ("iam:PassRole", definition[role], {"iam:PassedToService": "ecs-tasks.amazonaws.com"})
        for role in ("executionRoleArn", "taskRoleArn")
        if definition.get(role)
    ]
    if request.get("tags"):
        also.append(("ecs:TagResource", tagged, {"ecs:CreateAction": action}))
    _also.set(also)
    return resource


def _said(value: bool) -> str:
    return "true" if value else "false"


def _of_security_group(query: Any, arn: str, found: str) -> str:
    action = str(iam_actions._query_param(query, "Action"))
    if action == "CreateSecurityGroup":
        new, vpc = f"{arn}:security-group/new", str(iam_actions._query_param(query, "VpcId"))
        tags = iam_actions.request_tag_context("ec2", "ec2:CreateTags", b"", query)
        _keys.set(tags)
        _also.set([("ec2:CreateSecurityGroup", f"{arn}:vpc/{vpc}", _tags_of(vpc))])
        if tags:
            _also.set([*_also.get(), ("ec2:CreateTags", new, {**tags, "ec2:CreateAction": action})])
        return new
    if "SecurityGroup" in action and not action.startswith("Describe"):
        group = str(iam_actions._query_param(query, "GroupId"))
        _keys.set(_tags_of(group))
        return f"{arn}:security-group/{group}"
    return found


def _of_repository(request: dict[str, Any], found: str) -> str:
    """Calls about tags name the repository by its ARN, the others by its name."""
    resource = str(request.get("resourceArn") or found)
    repository = ecr._repositories.get(resource.partition(":repository/")[2]) or {}
    _keys.set({f"aws:ResourceTag/{tag['Key']}": tag["Value"] for tag in repository.get("tags", [])})
    return resource


def _of_http_api(method: str, found: str, body: bytes, region: str) -> str:
    """An API has a name and tags; its parts have neither, and inherit none.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html
    """
    api, _, part = found.partition("::/apis/")[2].partition("/")
    requested: dict[str, Any] = {}
    if method in ("POST", "PATCH") and not part:
        name = json.loads(body or b"{}").get("name")
        requested = {"apigateway:Request/ApiName": name} if name else {}
    if method == "POST":
        tags = iam_actions.request_tag_context("apigateway", "apigateway:CreateApi", body, {})
        if tags:
            # Creating with tags also needs POST on the tags; the id is not known before.
            resource = f"arn:aws:apigateway:{region}::/tags/{quote(f'{found}/', safe='')}*"
            _also.set([("apigateway:POST", resource, tags)])
        requested |= tags
    if api and not part:
        known = apigateway._apis.get(api) or {}
        tags = apigateway._api_tags.get(f"arn:aws:apigateway:{region}::/apis/{api}") or {}
        requested |= {f"aws:ResourceTag/{name}": value for name, value in tags.items()}
        if known and method in ("PATCH", "DELETE"):
            requested["apigateway:Resource/ApiName"] = known["name"]
    _keys.set(requested)
    return found


def _tags_of(resource: str) -> dict[str, str]:
    tags = ec2._tags.get(resource) or []
    return {f"{prefix}:ResourceTag/{each['Key']}": each["Value"] for each in tags for prefix in ("aws", "ec2")}


@patch(iam_actions, "dynamodb_service_context")
def _leading_keys(original: Function, body: bytes) -> dict[str, Any]:
    context: dict[str, Any] = original(body)
    try:
        keys = [key for key in _keys_of(json.loads(body or b"{}")) if key]
    except (ValueError, AttributeError):
        keys = []
    return {**context, "dynamodb:LeadingKeys": keys} if keys else context


def _keys_of(request: dict[str, Any]) -> Iterator[str]:
    """The partition keys in a request; our table's key is `pk`."""
    if item := request.get("Key") or request.get("Item"):
        yield item.get("pk", {}).get("S", "")
    # In a query, also of an index, it is the key with `=`: our queries use sort keys only with begins_with.
    if equal := re.search(r"=\s*(:\w+)", request.get("KeyConditionExpression") or ""):
        yield request.get("ExpressionAttributeValues", {}).get(equal[1], {}).get("S", "")
    for each in request.get("TransactItems") or []:
        for member in each.values():
            yield from _keys_of(member)


@patch(iam_evaluator, "enforce")
def _enforce(
    original: Function,
    access_key_id: str,
    iam_action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: dict[str, Any] | None = None,
) -> Any:
    given = service_context or {}
    context = {**given, **(_keys.get() if service in _OURS else {})}
    denied = original(access_key_id, iam_action, service, region, resource_arn, context)
    if denied or service not in _OURS:
        return denied
    for action, resource, keys in _also.get():
        denied = original(access_key_id, action, action.partition(":")[0], region, resource, {**given, **keys})
        if denied:
            _refused.set((action, resource))
            return denied
    return None


@patch(iam_actions, "access_denied_response")
def _name_what_was_refused(original: Function, service: str, action: str, *arguments: Any, **named: Any) -> Any:
    refused = _refused.get()
    if refused:
        action, named["resource_arn"] = refused
    return original(service, action, *arguments, **named)
