"""Parts of HTTP APIs: MiniStack makes none for a target, takes any URL, and maps no answers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop.html (quick create)
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ministack.services import apigateway

from portcall.local.options import Settings
from portcall.local.seams.seam import Function, wrap

# Top-level domains that are no public ones: RFC 2606, RFC 6761, RFC 7686, and those of private networks.
_NOT_PUBLIC = {
    "corp",
    "example",
    "home",
    "internal",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "test",
}


def install(settings: Settings) -> None:
    wrap(apigateway, "_create_api", _make_the_parts)
    wrap(apigateway, "_create_api", _refuse_urls("target"))
    wrap(apigateway, "_update_api", _refuse_urls("target"))
    wrap(apigateway, "_create_integration", _refuse_urls("integrationUri"))
    wrap(apigateway, "_update_integration", _refuse_urls("integrationUri"))
    wrap(apigateway, "_invoke_http_proxy", _map_the_answer)


def _refuse_urls(member: str) -> Callable[[Function], Function]:
    """Refuse names outside public top-level domains, and most ports below 1024.

    https://github.com/aws/aws-cdk/issues/24017
    https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html (ports)
    """

    def wrapper(original: Function) -> Function:
        def call(*arguments: Any) -> Any:
            url = str(arguments[-1].get(member) or "")
            if url.startswith("http") and not _is_public(url):
                message = "Invalid HTTP endpoint specified for URI"
                return apigateway._apigw_error("BadRequestException", message, 400)
            return original(*arguments)

        return call

    return wrapper


def _is_public(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if port is not None and port not in (80, 443) and port < 1024:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        name, _, top = host.rpartition(".")
        return bool(name) and top not in _NOT_PUBLIC and not top.isdecimal()
    return True


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
