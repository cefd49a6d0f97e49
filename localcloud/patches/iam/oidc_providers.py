"""OpenID Connect providers as CloudFormation resources.

MiniStack: has them only in IAM's API.
AWS: has them as AWS::IAM::OIDCProvider.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-oidcprovider.html
Upstream: none known
Kind: option (GitHubRepository, GitLabProject)
"""

from __future__ import annotations

import re
from typing import Any

from ministack.services import iam

from localcloud.patches.patch import add_resource

RESOURCE_TYPE = "AWS::IAM::OIDCProvider"


@add_resource(RESOURCE_TYPE, "create")
def _create(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
    request = {"Url": properties["Url"], **_members("ClientIDList", properties.get("ClientIdList", []))}
    request |= _members("ThumbprintList", properties.get("ThumbprintList", []))
    _status, _headers, body = iam._create_oidc_provider(request)
    said = body.decode() if isinstance(body, bytes) else str(body)
    arn = re.search(r"<OpenIDConnectProviderArn>(.*?)<", said)
    if not arn:
        refused = re.search(r"<Message>(.*?)</Message>", said, re.DOTALL)
        raise ValueError(refused[1] if refused else said)
    return arn[1], {"Arn": arn[1]}


def _members(name: str, values: list[str]) -> dict[str, str]:
    return {f"{name}.member.{number}": value for number, value in enumerate(values, 1)}


@add_resource(RESOURCE_TYPE, "update", replacing=("Url",))
def _update(arn: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
    iam._oidc_providers[arn]["ClientIDList"] = new.get("ClientIdList", [])
    return arn, {"Arn": arn}


@add_resource(RESOURCE_TYPE, "delete")
def _delete(arn: str, properties: dict[str, Any]) -> None:
    iam._delete_oidc_provider({"OpenIDConnectProviderArn": arn})
