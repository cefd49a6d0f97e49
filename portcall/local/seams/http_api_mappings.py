"""Parts of HTTP APIs: MiniStack makes none for a target, and maps no answers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop.html (quick create)
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import apigateway

from portcall.local.options import Settings
from portcall.local.seams.seam import Function, wrap


def install(settings: Settings) -> None:
    wrap(apigateway, "_create_api", _make_the_parts)
    wrap(apigateway, "_invoke_http_proxy", _map_the_answer)


def _make_the_parts(original: Function) -> Function:
    def create_api(data: dict[str, Any]) -> Any:
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
            route = {"routeKey": data.get("routeKey", "$default"), "target": f"integrations/{made}"}
            apigateway._create_route(api, route)
            apigateway._create_stage(api, {"stageName": "$default", "autoDeploy": True})
        return answer

    return create_api


def _map_the_answer(original: Function) -> Function:
    async def invoke_http_proxy(integration: dict[str, Any], *arguments: Any) -> Any:
        # As it is now: it may be moved while the app is asked.
        integration = dict(integration)
        status, headers, body = await original(integration, *arguments)
        mapped = {name.lower(): values for name, values in headers.items()}
        for key, value in (integration.get("responseParameters") or {}).get(str(status), {}).items():
            action, _, header = key.partition(":header.")
            if action in ("overwrite", "remove"):
                mapped.pop(header.lower(), None)
            if action in ("overwrite", "append"):
                known = mapped.get(header.lower(), [])
                mapped[header.lower()] = [*([known] if isinstance(known, str) else known), value]
        return status, mapped, body

    return invoke_http_proxy
