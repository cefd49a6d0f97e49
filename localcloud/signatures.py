"""Accepts only requests that are signed with a known key.

MiniStack itself accepts any request that names the account as one of its root user.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any
from urllib.parse import parse_qs, quote
from uuid import uuid4

from ministack.core import iam_actions, iam_evaluator, router, sigv4

from localcloud.guard import App, Receive, Scope, Send

# Query parameters that name a caller, in any case: of presigned URLs, and of signatures before SigV4.
_QUERY_CREDENTIALS = ("x-amz-algorithm", "x-amz-credential", "x-amz-signature", "awsaccesskeyid", "signature")
_LONGEST_PRESIGNED = 7 * 24 * 3600

# The paths of a registry (https://github.com/opencontainers/distribution-spec), none of them an AWS API's.
_REGISTRY = re.compile(
    r"/v2/?|/v2/_catalog|/v2/[A-Za-z0-9][\w./-]*/"
    r"(manifests/[\w.:+-]+|blobs/uploads/[\w.=-]*|blobs/[\w+.-]+:[\da-fA-F]+|tags/list|referrers/[\w.:+-]+)"
)
_REGISTRY_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Content types that forms can send. No client of a registry does, and some old browsers add no Origin to them.
_OF_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
# The path of custom resources' answers; its token is the permission, as in AWS's presigned URL.
_RESPONSE_URL = re.compile(r"/_ministack/cfn-response/[\w-]{20,}")
_HEALTH = "/_ministack/health"

_NEW_KEY = ' The embedded cloud has a new key each time it starts: eval "$(portcall env)"'
Failure = tuple[str, str]


class SignedOnly:
    """An ASGI application that forwards signed requests to MiniStack, and those that need no signature.

    The root user's key is the account's id, with the secret `root_secret`. All other keys are those that
    MiniStack
    has issued to a user or a session.
    """

    def __init__(self, app: App, *, account: str, root_secret: str) -> None:
        self._app = app
        self._account = account
        self._root_secret = root_secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        query = parse_qs(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True)
        headers = _joined(scope["headers"])
        by_header = headers.get("authorization", "").startswith("AWS")
        by_query = any(name.lower() in _QUERY_CREDENTIALS for name in query)
        if not by_header and not by_query and is_open(scope["method"], scope["path"], headers):
            await self._app(scope, receive, send)
            return
        body = await _whole(receive)
        if body is None:
            return
        if scope["path"].startswith(("/_ministack/", "/_localstack/")):
            failure: Failure | None = (
                "AccessDenied",
                "The embedded cloud does not serve MiniStack's own paths.",
            )
        elif by_header == by_query:
            missing = "The request is not signed." if not by_header else "The request is signed twice."
            failure = ("MissingAuthenticationToken", missing)
        else:
            failure = self._failure(scope, headers, query, body, presigned=by_query)
        if failure:
            await _refuse(send, failure, scope, headers, query, body)
            return
        await self._app(scope, _again(body, receive), send)

    def _failure(
        self,
        scope: Scope,
        headers: dict[str, str],
        query: dict[str, list[str]],
        body: bytes,
        *,
        presigned: bool,
    ) -> Failure | None:
        """The problem of a signature: AWS's error code and message."""
        if not presigned and not headers["authorization"].startswith("AWS4-HMAC-SHA256 "):
            return "IncompleteSignature", "The embedded cloud supports only Signature Version 4."
        read = sigv4.parse_query_signature(query) if presigned else sigv4.parse_header_signature(headers)
        if isinstance(read, tuple):
            return str(read[0]), str(read[1])
        if read.region_set is not None or "host" not in read.signed_headers.split(";"):
            return (
                "IncompleteSignature",
                "The embedded cloud supports only Signature Version 4, with a signed Host.",
            )
        # MiniStack must see the same caller.
        if router.extract_access_key_id(headers, query) != read.access_key_id:
            return "IncompleteSignature", "The request names two callers."
        late = _expired(read, query) if presigned else sigv4.request_time_failure(read)
        if late:
            return str(late[0]), str(late[1])
        token = (
            query.get("X-Amz-Security-Token", [""])[0] if presigned else headers.get("x-amz-security-token", "")
        )
        secret = self._secret(read.access_key_id, token)
        if secret is None:
            return "UnrecognizedClientException", "The security token included in the request is invalid."
        raw_path = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
        wrong = sigv4.header_signature_failure(
            read, secret, scope["method"], raw_path, query, headers, body, presigned=presigned
        )
        if wrong:
            hint = _NEW_KEY if read.access_key_id == self._account else ""
            return str(wrong[0]), f"{wrong[1]}{hint}"
        return _other_body(headers, body, service=read.service, presigned=presigned)

    def _secret(self, key: str, token: str) -> str | None:
        if key == self._account:
            return None if token else self._root_secret
        if iam_evaluator.is_root_access_key(key):
            return None
        found = iam_evaluator.resolve_credential(key, self._account, token)
        return (
            None if isinstance(found, iam_evaluator.CredentialResolutionError) else str(found.secret_access_key)
        )


def is_open(method: str, path: str, headers: dict[str, str]) -> bool:
    """Whether a request needs no signature: docker push and pull, custom resources, the health check."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _OF_FORMS:
        return False
    if _REGISTRY.fullmatch(path) and ".." not in path:
        return method in _REGISTRY_METHODS
    return (method == "GET" and path == _HEALTH) or (method == "PUT" and bool(_RESPONSE_URL.fullmatch(path)))


def _joined(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header fields by name. SigV4 signs repeated fields as one, joined with commas."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), str(sigv4.decode_header_value(raw_value))
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _expired(read: Any, query: dict[str, list[str]]) -> Failure | None:
    try:
        seconds = int(query.get("X-Amz-Expires", ["0"])[0])
        expired = sigv4.presigned_request_is_expired(read.amz_date, seconds)
    except ValueError:
        expired, seconds = True, 0
    wrong = expired or not 0 < seconds <= _LONGEST_PRESIGNED
    return ("AccessDenied", "Request has expired") if wrong else None


def _other_body(headers: dict[str, str], body: bytes, *, service: str, presigned: bool) -> Failure | None:
    """The failure if the body does not match the signed hash, which MiniStack does not check."""
    stated = headers.get("x-amz-content-sha256", "")
    if presigned or not stated or (service == "s3" and not re.fullmatch(r"[0-9a-f]{64}", stated)):
        return None
    if hmac.compare_digest(stated.encode(), hashlib.sha256(body).hexdigest().encode()):
        return None
    return "SignatureDoesNotMatch", "The signed hash does not match the body."


async def _whole(receive: Receive) -> bytes | None:
    """The whole body, None if the client disconnected before its end."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return waiting.pop() if waiting else await receive()

    return receive_again


async def _refuse(
    send: Send,
    failure: Failure,
    scope: Scope,
    headers: dict[str, str],
    query: dict[str, list[str]],
    body: bytes,
) -> None:
    """Answer in the protocol of the service, so that SDKs can read the reason."""
    code, message = failure
    form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    parameters = {**parse_qs(body.decode("utf-8", "replace")), **query} if form else query
    service = router.detect_service(scope["method"], scope["path"], headers, parameters)
    status, fields, said = iam_actions.access_denied_response(
        service, "", "", str(uuid4()), error_code=code, message=message, headers=headers
    )
    raw = [(str(name).encode("latin-1"), str(value).encode("latin-1")) for name, value in fields.items()]
    raw = [field for field in raw if field[0].lower() != b"content-length"]
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*raw, (b"content-length", str(len(said)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": said})
