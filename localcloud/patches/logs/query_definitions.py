"""Saved queries of CloudWatch Logs Insights.

MiniStack: has neither the API calls nor the resource type.
AWS: stores a query by its name, with its log groups.
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutQueryDefinition.html
Upstream: none known
Kind: core
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, error_response_json, json_response
from ministack.services import cloudwatch_logs

from localcloud.patches.patch import add_action, add_resource

RESOURCE_TYPE = "AWS::Logs::QueryDefinition"

_definitions = AccountRegionScopedDict()


@add_action(cloudwatch_logs, "PutQueryDefinition")
def _put(data: dict[str, Any]) -> Any:
    id = data.get("queryDefinitionId") or str(uuid.uuid4())
    if data.get("queryDefinitionId") and id not in _definitions:
        return _not_found()
    _definitions[id] = {**data, "queryDefinitionId": id, "lastModified": int(time.time() * 1000)}
    return json_response({"queryDefinitionId": id})


@add_action(cloudwatch_logs, "DescribeQueryDefinitions")
def _describe(data: dict[str, Any]) -> Any:
    prefix = data.get("queryDefinitionNamePrefix", "")
    found = [each for each in _definitions.values() if each["name"].startswith(prefix)]
    return json_response({"queryDefinitions": found})


@add_action(cloudwatch_logs, "DeleteQueryDefinition")
def _delete(data: dict[str, Any]) -> Any:
    if data["queryDefinitionId"] not in _definitions:
        return _not_found()
    del _definitions[data["queryDefinitionId"]]
    return json_response({"success": True})


def _not_found() -> Any:
    return error_response_json("ResourceNotFoundException", "The query definition was not found.")


def _request(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": properties["Name"],
        "queryString": properties["QueryString"],
        "logGroupNames": properties.get("LogGroupNames", []),
    }


@add_resource(RESOURCE_TYPE, "create")
def _create_resource(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
    _, _, body = _put(_request(properties))
    return json.loads(body)["queryDefinitionId"], {}


@add_resource(RESOURCE_TYPE, "update")
def _update_resource(
    id: str, old: dict[str, Any], new: dict[str, Any], stack: str
) -> tuple[str, dict[str, Any]]:
    _put({**_request(new), "queryDefinitionId": id})
    return id, {}


@add_resource(RESOURCE_TYPE, "delete")
def _delete_resource(id: str, properties: dict[str, Any]) -> None:
    _delete({"queryDefinitionId": id})
