"""Repositories that ECR creates on push by a repository creation template.

A push to a missing repository is refused, unless a template with CREATE_ON_PUSH has a matching prefix. The
longest prefix is used; ROOT matches all.

MiniStack: has no templates, and creates no repository on push.
AWS: creates it by the template with the longest matching prefix.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html
Upstream: none known
Kind: option (CreateRepositories)
"""

from __future__ import annotations

import json
import time
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, error_response_json, json_response
from ministack.services import ecr
from ministack.services.cloudformation import provisioners

from localcloud.patches.iam.service_roles import role_allows
from localcloud.patches.patch import Function, add_action, add_resource, patch

RESOURCE_TYPE = "AWS::ECR::RepositoryCreationTemplate"

_templates = AccountRegionScopedDict()


@patch(ecr, "_v2_start_blob_upload")
def _create_on_push(original: Function, name: str, query: Any, body: bytes) -> Any:
    template = _template_for(name)
    if name not in ecr._repositories and template and _may_create(name, template):
        ecr._create_repository({**template, "repositoryName": name, "tags": template.get("resourceTags", [])})
        if policy := template.get("lifecyclePolicy"):
            ecr._put_lifecycle_policy({"repositoryName": name, "lifecyclePolicyText": policy})
        if policy := template.get("repositoryPolicy"):
            ecr._set_repository_policy({"repositoryName": name, "policyText": policy})
    return original(name, query, body)


def _template_for(repository: str) -> dict[str, Any] | None:
    fitting = [
        (len(prefix) if prefix != "ROOT" else 0, template)
        for prefix, template in _templates.items()
        if "CREATE_ON_PUSH" in template["appliedFor"]
        # ECR assumes a slash at the end of each prefix.
        and (prefix == "ROOT" or repository.startswith(f"{prefix.rstrip('/')}/"))
    ]
    return max(fitting, key=lambda each: each[0])[1] if fitting else None


def _may_create(repository: str, template: dict[str, Any]) -> bool:
    """Whether the template's role, if it has one, has the permissions that ECR needs."""
    role, actions = template.get("customRoleArn"), ["ecr:CreateRepository"]
    if template.get("resourceTags"):
        actions.append("ecr:TagResource")
    arn = ecr._repo_arn(repository)
    return not role or all(
        role_allows(role, service="ecr.amazonaws.com", action=action, resource=arn) for action in actions
    )


@add_action(ecr, "CreateRepositoryCreationTemplate")
def _create(data: dict[str, Any]) -> Any:
    if data["prefix"] in _templates:
        return error_response_json(
            "TemplateAlreadyExistsException",
            f"The template with prefix '{data['prefix']}' already exists in the registry with id "
            f"'{ecr.get_account_id()}'",
        )
    encrypted = (data.get("encryptionConfiguration") or {}).get("encryptionType", "AES256") != "AES256"
    if (data.get("resourceTags") or encrypted) and not data.get("customRoleArn"):
        # https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates-create.html
        return error_response_json(
            "InvalidParameterException", "A template with resource tags or a KMS key needs a custom role."
        )
    now = time.time()
    _templates[data["prefix"]] = {"imageTagMutability": "MUTABLE", **data, "createdAt": now, "updatedAt": now}
    return _answer(data["prefix"])


@add_action(ecr, "DescribeRepositoryCreationTemplates")
def _describe(data: dict[str, Any]) -> Any:
    wanted = data.get("prefixes")
    found = [template for prefix, template in _templates.items() if not wanted or prefix in wanted]
    return json_response({"registryId": ecr.get_account_id(), "repositoryCreationTemplates": found})


@add_action(ecr, "UpdateRepositoryCreationTemplate")
def _update(data: dict[str, Any]) -> Any:
    if data["prefix"] not in _templates:
        return _not_found(data["prefix"])
    _templates[data["prefix"]] |= {**data, "updatedAt": time.time()}
    return _answer(data["prefix"])


@add_action(ecr, "DeleteRepositoryCreationTemplate")
def _delete(data: dict[str, Any]) -> Any:
    if data["prefix"] not in _templates:
        return _not_found(data["prefix"])
    answer = _answer(data["prefix"])
    del _templates[data["prefix"]]
    return answer


def _answer(prefix: str) -> Any:
    return json_response({"registryId": ecr.get_account_id(), "repositoryCreationTemplate": _templates[prefix]})


def _not_found(prefix: str) -> Any:
    return error_response_json(
        "TemplateNotFoundException",
        f"The template with prefix '{prefix}' does not exist in the registry with id '{ecr.get_account_id()}'",
    )


@add_resource(RESOURCE_TYPE, "create")
def _create_resource(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
    request = {**provisioners._pascal_to_camel(properties), "resourceTags": properties.get("ResourceTags", [])}
    status, _headers, body = _create(request)
    if status != 200:
        raise ValueError(json.loads(body)["message"])
    return request["prefix"], {}


@add_resource(RESOURCE_TYPE, "update", replacing=("Prefix",))
def _update_resource(
    prefix: str, old: dict[str, Any], new: dict[str, Any], stack: str
) -> tuple[str, dict[str, Any]]:
    _delete({"prefix": prefix})
    return _create_resource("", new, stack)


@add_resource(RESOURCE_TYPE, "delete")
def _delete_resource(prefix: str, properties: dict[str, Any]) -> None:
    _delete({"prefix": prefix})
