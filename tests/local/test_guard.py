"""What no web page and no other user may do: each request here is one that a browser sends for a hostile page,
or that somebody without the key sends.
"""

import contextlib
import datetime
import hashlib
import http.client
import json
import socket
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from localcloud import root_key
from tests.local.conftest import ACCOUNT, MANIFEST, REGION, Cloud

PAGE = "http://172.17.0.2:3000"
MOZILLA = "Mozilla/5.0 (X11; Linux x86_64)"
# What browsers add to requests of a page; nothing of it can a page leave out or change.
BROWSERS = {
    "Chromium, fetch": {"Origin": PAGE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "Chromium, image or script": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"},
    "Chromium, page on another port": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"},
    "Chromium, rebound name": {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"},
    "Firefox, sandboxed frame": {"Origin": "null", "User-Agent": f"{MOZILLA} Gecko/20100101 Firefox/145.0"},
    "Safari before Sec-Fetch": {"Origin": PAGE, "User-Agent": f"{MOZILLA} Safari/605.1.15"},
    "Firefox before Origin in forms": {"Referer": f"{PAGE}/"},
    "an old one that is configured to send no Referer": {"User-Agent": "Mozilla/4.0 (compatible; MSIE 8.0)"},
    "an extension": {"Origin": "chrome-extension://abcdefghijklmnop"},
    "headers in other letters": {"oRIGIN": PAGE},
}  # fmt: skip
REBOUND = [
    "evil.test:{port}",
    "evil.test",
    "localhost.evil.test:{port}",
    "127.0.0.1.evil.test:{port}",
    "localhost.:{port}",
    "evil.localhost:{port}",
    "bucket.s3.localhost:{port}",
    "abc123.execute-api.localhost:{port}",
    "127.9.9.9:{port}",
    "0.0.0.0:{port}",
    "2130706433:{port}",
    "localhost@evil.test:{port}",
    "",
]


@dataclass
class Attempts:
    """What hostile requests try to make, and whether it is there."""

    cloud: Cloud
    name: str = field(default_factory=lambda: f"pwned-{uuid.uuid4().hex[:8]}")

    def requests(self) -> Iterator[tuple[str, str, bytes, dict[str, str]]]:
        """Method, path, body, headers; before there was a guard each of them took effect."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/{REGION}/{{}}/aws4_request"
        as_root = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{ACCOUNT}/{scope.format('sqs')}",
            "X-Amz-Date": now,
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": "0" * 64,
        }
        queue = {"Action": "CreateQueue", "QueueName": self.name, **as_root}
        yield "GET", f"/?{urlencode(queue)}", b"", {}
        yield "POST", f"/?{urlencode(as_root)}", urlencode(queue).encode(), {"Content-Type": "text/plain"}
        signed = f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/{{}}, SignedHeaders=host, Signature={'0' * 64}"
        topic = urlencode({"Action": "CreateTopic", "Name": self.name}).encode()
        form = {"Content-Type": "application/x-www-form-urlencoded", "X-Amz-Date": now}
        yield "POST", "/", topic, {**form, "Authorization": signed.format(scope.format("sns"))}
        yield (
            "PUT",
            f"/{self.name}",
            b"",
            {"X-Amz-Date": now, "Authorization": signed.format(scope.format("s3"))},
        )
        upload = f"/v2/{self.name}/blobs/uploads/?digest=sha256:{hashlib.sha256(b'{}').hexdigest()}"
        yield "POST", upload, b"{}", {"Content-Type": "text/plain"}
        yield "PUT", f"/v2/{self.name}/manifests/latest", b"{}", {"Content-Type": MANIFEST}
        yield "GET", f"/v2/{self.name}/tags/list", b"", {}
        yield "POST", "/_ministack/reset", b"", {"Content-Type": "text/plain"}
        yield "GET", "/_ministack/health", b"", {}

    def effects(self) -> list[str]:
        queues = self.cloud.client("sqs").list_queues(QueueNamePrefix=self.name).get("QueueUrls", [])
        topics = [each["TopicArn"] for each in self.cloud.client("sns").list_topics()["Topics"]]
        buckets = [each["Name"] for each in self.cloud.client("s3").list_buckets()["Buckets"]]
        blobs = self.cloud.request("HEAD", f"/v2/{self.name}/blobs/sha256:{hashlib.sha256(b'{}').hexdigest()}")[
            0
        ]
        found = [*queues, *(each for each in [*topics, *buckets] if self.name in each)]
        return found + ([f"blob of {self.name}"] if blobs == 200 else [])


@pytest.fixture
def attempts(cloud: Cloud) -> Attempts:
    attempts = Attempts(cloud)
    # With a repository of its name, for the registry's part; it also shows that nothing is reset.
    cloud.client("ecr").create_repository(repositoryName=attempts.name)
    return attempts


def signed(
    cloud: Cloud,
    service: str,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    secret: str = "",
    key: str = ACCOUNT,
    **headers: str,
) -> AWSRequest:
    request = AWSRequest(method, f"{cloud.endpoint}{path}", data=body, headers=headers)
    SigV4Auth(Credentials(key, secret or root_key.read(cloud.state_dir)), service, cloud.region).add_auth(
        request
    )
    return request


def send(cloud: Cloud, request: AWSRequest, body: bytes | None = None, **more: str) -> tuple[int, bytes]:
    path = request.url.removeprefix(cloud.endpoint)
    given = (request.data or b"") if body is None else body
    return cloud.request(request.method, path, given, **{**dict(request.headers.items()), **more})


GET_IDENTITY = b"Action=GetCallerIdentity&Version=2011-06-15"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("browser", BROWSERS)
def test_nothing_that_a_page_sends_takes_effect(attempts: Attempts, browser: str) -> None:
    for method, path, body, headers in attempts.requests():
        status, answer = attempts.cloud.request(method, path, body, **headers, **BROWSERS[browser])
        assert (status, b"web browsers" in answer) == (403, True), (method, path, answer)
    assert attempts.effects() == []
    # Not even with the key, which a hostile page might have.
    identity = signed(attempts.cloud, "sts", "POST", "/", GET_IDENTITY, **FORM)
    assert send(attempts.cloud, identity)[0] == 200
    assert send(attempts.cloud, identity, **BROWSERS[browser])[0] == 403


@pytest.mark.parametrize("host", REBOUND)
def test_a_name_of_somebody_elses_is_not_this_clouds(attempts: Attempts, host: str) -> None:
    """DNS rebinding: to the browser this is a request to the page's own origin."""
    for method, path, body, headers in attempts.requests():
        status, _ = attempts.cloud.request(
            method, path, body, **headers, Host=host.format(port=attempts.cloud.port)
        )
        assert status == 403, (method, path)
    assert attempts.effects() == []


def test_no_host_or_two_are_not_this_clouds_either(cloud: Cloud) -> None:
    for hosts in ("", f"Host: localhost:{cloud.port}\r\nHost: evil.test\r\n"):
        with socket.create_connection(("127.0.0.1", cloud.port)) as connection:
            connection.sendall(f"GET /_ministack/health HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
            assert connection.recv(100).split()[1] in (b"400", b"403")


def test_the_names_of_this_machine_are(cloud: Cloud) -> None:
    for host in ("localhost", "LOCALHOST", "127.0.0.1", "[::1]"):
        for suffix in ("", f":{cloud.port}"):
            assert cloud.request("GET", "/_ministack/health", Host=host + suffix)[0] == 200


def test_no_page_may_read_an_answer(cloud: Cloud) -> None:
    for method, path in (
        ("OPTIONS", "/"),
        ("OPTIONS", "/v2/"),
        ("GET", "/v2/"),
        ("GET", "/_ministack/health"),
        ("GET", "/"),
    ):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=10)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            answer.read()
            assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control-")]
            assert (answer.status == 403) == (method == "OPTIONS" or path == "/")


@pytest.mark.parametrize("origin", ["", f"Origin: {PAGE}\r\n"])
@pytest.mark.parametrize("path", ["/", "/_aws/execute-api/abc123/$default"])
def test_no_websocket_opens(cloud: Cloud, origin: str, path: str) -> None:
    with socket.create_connection(("127.0.0.1", cloud.port)) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost:{cloud.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{origin}\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 403")


def test_without_the_key_nobody_is_root(attempts: Attempts) -> None:
    """Another user of this machine, whose requests bear nothing of a browser's."""
    for method, path, body, headers in attempts.requests():
        if path.startswith("/v2/") and "text/plain" not in headers.values():
            continue  # A push needs no login.
        status, _ = attempts.cloud.request(method, path, body, **headers)
        assert (status >= 400) == (path != "/_ministack/health"), (method, path)
    assert attempts.effects() == []


@pytest.mark.parametrize("key", [ACCOUNT, "test", "000000000000", "999999999999", "AKIAIOSFODNN7EXAMPLE"])
def test_a_wrong_secret_is_refused(cloud: Cloud, key: str) -> None:
    for service, call in (
        ("sqs", "list_queues"),
        ("sns", "list_topics"),
        ("s3", "list_buckets"),
        ("lambda", "list_functions"),
    ):
        with pytest.raises(ClientError) as refused:
            getattr(cloud.client(service, key, "guessed"), call)()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 401, 403)
    if key == ACCOUNT:
        with pytest.raises(ClientError, match="portcall env"):
            cloud.client("sts", key, "guessed").get_caller_identity()


def test_a_users_wrong_secret_is_refused(cloud: Cloud) -> None:
    name = f"user-{uuid.uuid4().hex[:8]}"
    cloud.client("iam").create_user(UserName=name)
    key = cloud.client("iam").create_access_key(UserName=name)["AccessKey"]
    assert (
        cloud.client("sts", key["AccessKeyId"], key["SecretAccessKey"])
        .get_caller_identity()["Arn"]
        .endswith(name)
    )
    body, service = GET_IDENTITY, "sts"
    guessed = signed(cloud, service, "POST", "/", body, key=key["AccessKeyId"], secret="guessed", **FORM)
    assert send(cloud, guessed)[0] == 403


def test_a_functions_key_cannot_be_worked_out_from_its_names(cloud: Cloud) -> None:
    function = cloud.function(
        "import os\ndef handler(e, c):\n    return {n: v for n, v in os.environ.items() if n.startswith('AWS_')}\n"
    )
    _, environment = cloud.invoke(function)
    role = cloud.client("lambda").get_function_configuration(FunctionName=function)["Role"]
    digest = hashlib.sha256(f"{function}:{role}".encode()).hexdigest()
    guesses = [hashlib.sha256(f"{what}:{digest}".encode()).hexdigest() for what in ("secret", "token")]
    assert environment["AWS_SECRET_ACCESS_KEY"] != guesses[0]
    assert environment["AWS_SESSION_TOKEN"] != guesses[1]
    assert environment["AWS_SECRET_ACCESS_KEY"] != root_key.read(cloud.state_dir)
    for secret, token in ((guesses[0], guesses[1]), (environment["AWS_SECRET_ACCESS_KEY"], guesses[1])):
        credentials = Credentials(environment["AWS_ACCESS_KEY_ID"], secret, token)
        request = AWSRequest("POST", f"{cloud.endpoint}/", data=GET_IDENTITY, headers=FORM)
        SigV4Auth(credentials, "sts", cloud.region).add_auth(request)
        assert send(cloud, request)[0] == 403


def test_a_changed_expired_or_doubly_signed_request_is_refused(cloud: Cloud) -> None:
    name = f"pwned-{uuid.uuid4().hex[:8]}"
    other = f"Action=CreateTopic&Name={name}&Version=2010-03-31".encode()
    request = signed(cloud, "sns", "POST", "/", b"Action=ListTopics&Version=2010-03-31", **FORM)
    assert send(cloud, request)[0] == 200
    assert send(cloud, request, other)[0] == 403
    # With a hash of the body, as the clients of S3 send it.
    stated = signed(
        cloud,
        "s3",
        "PUT",
        f"/{name}/key",
        b"content",
        **{"X-Amz-Content-SHA256": hashlib.sha256(b"content").hexdigest()},
    )
    cloud.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert send(cloud, stated, b"another")[0] == 403
    assert send(cloud, stated)[0] == 200
    # Nor elsewhere, later, or for two callers at once.
    moved = signed(cloud, "sns", "POST", "/", other, **FORM)
    assert cloud.request("POST", "/?x=1", other, **dict(moved.headers.items()))[0] == 403
    late = signed(cloud, "sns", "POST", "/", other, **FORM)
    late.context["timestamp"] = "20200101T000000Z"
    SigV4Auth(Credentials(ACCOUNT, root_key.read(cloud.state_dir)), "sns", REGION).add_auth(late)
    late.headers.replace_header("X-Amz-Date", "20200101T000000Z")
    assert send(cloud, late)[0] in (400, 403)
    both = f"/?X-Amz-Credential={ACCOUNT}/20260101/{REGION}/sns/aws4_request&X-Amz-Algorithm=AWS4-HMAC-SHA256"
    twice = signed(cloud, "sns", "POST", both, other, **FORM)
    assert send(cloud, twice)[0] in (400, 403)
    assert not [topic for topic in cloud.client("sns").list_topics()["Topics"] if name in topic["TopicArn"]]


def test_a_presigned_url_is_good_for_what_it_says_and_while_it_says(cloud: Cloud) -> None:
    bucket, s3 = f"bucket-{uuid.uuid4().hex[:8]}", cloud.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="key", Body=b"content")
    key = Credentials(ACCOUNT, root_key.read(cloud.state_dir))

    def presigned(path: str, seconds: int = 60, credentials: Credentials = key) -> str:
        request = AWSRequest("GET", f"{cloud.endpoint}{path}", headers={"Host": f"127.0.0.1:{cloud.port}"})
        signer: Any = type(
            "S3",
            (SigV4QueryAuth,),
            {
                "payload": lambda self, request: "UNSIGNED-PAYLOAD",
                "_normalize_url_path": lambda self, path: path,
            },
        )
        signer(credentials, "s3", REGION, expires=seconds).add_auth(request)
        return str(request.url).removeprefix(cloud.endpoint)

    good = presigned(f"/{bucket}/key")
    assert cloud.request("GET", good) == (200, b"content")
    assert cloud.request("GET", good.replace("/key?", "/other?"))[0] == 403
    assert cloud.request("DELETE", good)[0] == 403
    assert cloud.request("GET", good.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))[0] == 403
    assert cloud.request("GET", presigned(f"/{bucket}/key", 60, Credentials(ACCOUNT, "guessed")))[0] == 403
    assert cloud.request("GET", presigned(f"/{bucket}/key", 0))[0] == 403


def test_ministacks_own_paths_are_closed_to_everybody(cloud: Cloud) -> None:
    repository = cloud.repository()
    for method, path in (
        ("POST", "/_ministack/reset"),
        ("POST", "/_ministack/config"),
        ("GET", "/_ministack/ready"),
        ("GET", "/_ministack/ses/messages"),
        ("GET", f"/_ministack/lambda-code/{ACCOUNT}/{REGION}/function"),
        ("PUT", "/_ministack/cfn-signal/token"),
        ("GET", "/_localstack/health"),
        ("GET", "/health"),
        ("GET", "/v2/credentials/00000000-0000-0000-0000-000000000000"),
    ):
        assert cloud.request(method, path)[0] == 403, path
        if path.startswith("/_"):
            assert send(cloud, signed(cloud, "sts", method, path))[0] == 403, path
    assert cloud.client("ecr").describe_repositories(repositoryNames=[repository])["repositories"]


def test_a_push_needs_no_login_and_what_looks_like_one_does(cloud: Cloud) -> None:
    repository = cloud.repository()
    blob = f"/v2/{repository}/blobs/uploads/?digest=sha256:{hashlib.sha256(b'{}').hexdigest()}"
    assert cloud.request("POST", blob, b"{}", Authorization="Basic QVdTOng=")[0] == 201
    assert cloud.request("POST", blob, b"{}", **{"Content-Type": "application/octet-stream"})[0] == 201
    for kind in (
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "Text/Plain;charset=UTF-8",
    ):
        assert cloud.request("POST", blob, b"{}", **{"Content-Type": kind})[0] in (400, 403), kind
    for path in (
        "/v2/apis",
        "/v2/email/identities",
        "/v2/domainnames",
        "/v2/tags/x",
        f"/v2/{repository}/../../x/manifests/latest",
    ):
        assert cloud.request("GET", path)[0] == 403, path
    named = f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/ecr/aws4_request, SignedHeaders=host, Signature=0"
    assert cloud.request("GET", "/v2/", Authorization=named)[0] in (400, 403)


def test_the_apps_addresses_reach_apps_only(cloud: Cloud) -> None:
    api = cloud.client("apigatewayv2").create_api(Name="app", ProtocolType="HTTP")
    address = api["ApiEndpoint"].removeprefix("http://").partition(":")[0]
    health = json.loads(cloud.request("GET", "/_ministack/health")[1])
    assert "services" in health
    for host in (f"localhost:{cloud.port}", f"127.0.0.1:{cloud.port}", "sts.localhost"):
        for target in (
            "/_ministack/health",
            f"http://127.0.0.1:{cloud.port}/_ministack/health",
            "//_ministack/health",
            "/v2/",
            "/..//v2/",
        ):
            with contextlib.closing(http.client.HTTPConnection(address, cloud.port, timeout=10)) as connection:
                connection.putrequest("GET", target, skip_host=True)
                connection.putheader("Host", host)
                connection.putheader("Origin", PAGE)
                connection.endheaders()
                answer = connection.getresponse()
                assert (answer.status, answer.read()) == (404, b'{"message":"Not Found"}'), (host, target)
    cloud.client("apigatewayv2").delete_api(ApiId=api["ApiId"])


def test_the_key_is_its_owners_alone_and_another_each_time(cloud: Cloud, tmp_path: Path) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert (mode(cloud.state_dir), mode(cloud.state_dir / root_key.FILE)) == (0o700, 0o600)
    folder = tmp_path / "made"
    first = root_key.make(folder)
    assert (mode(folder), mode(folder / root_key.FILE), root_key.read(folder)) == (0o700, 0o600, first)
    (folder / root_key.FILE).chmod(0o644)
    assert root_key.make(folder) != first
    assert mode(folder / root_key.FILE) == 0o600
    # A folder that others use as well stays theirs.
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    root_key.make(shared)
    assert (mode(shared), mode(shared / root_key.FILE)) == (0o1777, 0o600)
