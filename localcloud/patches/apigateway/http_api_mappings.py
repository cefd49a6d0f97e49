"""Targets of HTTP APIs: quick create.

MiniStack: creates no integration, route and stage for an API with a target, and UpdateApi changes none.
AWS: creates all three, and UpdateApi changes their target.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop.html
Upstream: none known, ready to send:
    docs/upstream/apigateway-quick-create.md
Kind: option (StableUrl)
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import apigateway

from localcloud.patches.patch import Function, patch


@patch(apigateway, "_create_api")
def _make_the_parts(original: Function, data: dict[str, Any]) -> Any:
    answer = original(data)
    target = data.get("target")
    if answer[0] == 201 and target:
        api = json.loads(answer[2])["apiId"]
        integration = {
            "integrationType": "HTTP_PROXY",
            "integrationMethod": "ANY",
            "integrationUri": target,
            "payloadFormatVersion": "1.0",
        }
        made = json.loads(apigateway._create_integration(api, integration)[2])["integrationId"]
        apigateway._integrations[api][made]["apiGatewayManaged"] = True
        route = {"routeKey": data.get("routeKey", "$default"), "target": f"integrations/{made}"}
        apigateway._create_route(api, route)
        apigateway._create_stage(api, {"stageName": "$default", "autoDeploy": True})
    return answer


@patch(apigateway, "_update_api")
def _move_the_target(original: Function, api_id: str, data: dict[str, Any]) -> Any:
    answer = original(api_id, data)
    if answer[0] == 200 and data.get("target"):
        for integration in apigateway._integrations.get(api_id, {}).values():
            if integration.get("apiGatewayManaged"):
                integration["integrationUri"] = data["target"]
    return answer
