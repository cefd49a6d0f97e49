"""HTTP APIs at an address that can be opened, with complete responses.

Each API gets its own address in 127.0.0.0/8, which on Linux is this machine, and the cloud's port. So its paths
are the app's own, without a prefix, and its cookies are not shared with other apps.

MiniStack: serves APIs at names that only browsers and curl resolve, follows redirects itself, and drops all
headers
    of a response except the content type.
AWS: gives each API a name that resolves, and forwards the app's response.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-http.html
Upstream: none known
Kind: option (StableUrl)
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import http.client
import json
import logging
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.core.concurrency import run_reentrant
from ministack.services import apigateway

from localcloud.options import Settings
from localcloud.patches.patch import Function, patch

log = logging.getLogger("portcall.http_apis")

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
PAYLOAD_LIMIT = 10 * 1024 * 1024

# Headers of one connection, which are not forwarded (RFC 9110, 7.6.1).
_OF_THE_CONNECTION = {
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_NOT_FOUND = 404, {"Content-Type": "application/json"}, b'{"message":"Not Found"}'
_TOO_LARGE = 413, {"Content-Type": "application/json"}, b'{"message":"Request Entity Too Large"}'
_UNAVAILABLE = 503, {"Content-Type": "application/json"}, b'{"message":"Service Unavailable"}'

_listening: dict[str, tuple[asyncio.Event, asyncio.Task[None]]] = {}

# The original query, which MiniStack would sort and encode again, and the client (RFC 7239).
_query: contextvars.ContextVar[str | None] = contextvars.ContextVar("query", default=None)
_forwarded: contextvars.ContextVar[str] = contextvars.ContextVar("forwarded", default="")


def address_of(api_id: str) -> str:
    first, second, third = hashlib.sha256(api_id.encode()).digest()[:3]
    return f"127.{1 + first % 254}.{second}.{1 + third % 254}"


@patch(apigateway, "_create_api")
def _listen(original: Function, data: dict[str, Any], *, settings: Settings) -> Any:
    answer = original(data)
    if answer[0] != 201 or data.get("protocolType") != "HTTP":
        return answer
    api = apigateway._apis[json.loads(answer[2])["apiId"]]
    address = address_of(api["apiId"])
    try:
        listener = socket.create_server((address, settings.port))
    except OSError as error:
        log.warning("%s cannot be listened on, so only browsers will open the API: %s", address, error)
        return answer
    api["apiEndpoint"] = f"http://{address}:{settings.port}"
    closed = asyncio.Event()
    server = asyncio.get_running_loop().create_task(_serve(api["apiId"], listener, closed))
    _listening[api["apiId"]] = (closed, server)
    return apigateway._apigw_response(api, 201)


@patch(apigateway, "_delete_api")
def _stop_listening(original: Function, api_id: str) -> Any:
    answer = original(api_id)
    if answer[0] == 204 and api_id in _listening:
        _listening.pop(api_id)[0].set()
    return answer


async def _serve(api_id: str, listener: socket.socket, closed: asyncio.Event) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        status, headers, body = await _answer(api_id, scope, receive)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 1
    config.include_date_header = config.include_server_header = False
    config.loglevel = "WARNING"
    await serve(app, config, shutdown_trigger=closed.wait)


async def _answer(api_id: str, scope: Any, receive: Any) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    headers = _joined(scope["headers"])
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > PAYLOAD_LIMIT:
            break
    if len(body) > PAYLOAD_LIMIT:
        return _raw(*_TOO_LARGE)
    if "$default" not in apigateway.stages_for_api(api_id):
        return _raw(*_NOT_FOUND)
    query, host = scope["query_string"].decode("latin-1"), headers.get("host", "")
    _query.set(query)
    _forwarded.set(f"by={scope['server'][0]};for={scope['client'][0]};host={host};proto={scope['scheme']}")
    method = scope["method"]
    if method == "OPTIONS" and not (apigateway._apis.get(api_id) or {}).get("corsConfiguration"):
        # Without CORS settings, the app answers it, like any other request.
        method = "options"
    # Escapes are decoded, so `%2F` arrives as `/`; characters that a path may not contain are escaped again.
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
    decoded = apigateway.decode_http_api_path(scope["raw_path"].decode("latin-1"))
    path = quote(decoded, safe="/%:@!$&'()*+,;=~")
    parsed = parse_qs(query, keep_blank_values=True)
    answer = await apigateway.handle_execute(api_id, "$default", path, method, headers, body, parsed, query)
    return _raw(*answer)


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header fields by name; repeated ones are joined."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        separator = "; " if name == "cookie" else ", "
        joined[name] = f"{joined[name]}{separator}{value}" if name in joined else value
    return joined


def _raw(
    status: int, headers: Mapping[str, str | list[str]], body: bytes
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    fields = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, values in headers.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    # A response to HEAD and a 304 have the length of a body that they do not send.
    if body or not (status in (204, 304) or any(name == b"content-length" for name, _ in fields)):
        fields = [field for field in fields if field[0] != b"content-length"]
        fields.append((b"content-length", str(len(body)).encode()))
    return status, fields, body


@patch(apigateway, "_invoke_http_proxy")
async def _pass_on(
    original: Function,
    integration: dict[str, Any],
    path: str,
    method: str,
    headers: dict[str, str],
    body: bytes,
    query: dict[str, list[str]],
) -> Any:
    as_it_came = _query.get()
    mapped = any(":querystring." in name for name in integration.get("requestParameters") or {})
    text = urlencode(query, doseq=True) if as_it_came is None or mapped else as_it_came
    target = f"{path}?{text}" if text else path
    return await run_reentrant(_ask, integration, target, method.upper(), headers, body)


def _ask(integration: dict[str, Any], target: str, method: str, headers: dict[str, str], body: bytes) -> Any:
    uri = urlsplit(integration["integrationUri"])
    sent = {
        name: value
        for name, value in headers.items()
        if name not in _OF_THE_CONNECTION and name not in ("host", "content-length")
    }
    sent["via"] = "HTTP/1.1 AmazonAPIGateway"
    if forwarded := _forwarded.get():
        sent["forwarded"] = forwarded
    kind = http.client.HTTPSConnection if uri.scheme == "https" else http.client.HTTPConnection
    connection = kind(uri.hostname or "", uri.port, timeout=integration["timeoutInMillis"] / 1000)
    try:
        connection.request(method, uri.path.rstrip("/") + target, body or None, sent)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        log.info("%s %s at %s: %s", method, target, integration["integrationUri"], error)
        return _UNAVAILABLE
    finally:
        connection.close()
    received: dict[str, list[str]] = {}
    for name, value in answer.getheaders():
        if name.lower() not in _OF_THE_CONNECTION:
            received.setdefault(name, []).append(value)
    return answer.status, received, content
