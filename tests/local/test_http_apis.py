"""HTTP APIs of API Gateway: an address on this machine, and a target that changes."""

import http.client
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import Cloud, eventually

MEGABYTE = 1024 * 1024


class App(BaseHTTPRequestHandler):
    """Answers with the request; `/redirect`, `/teapot` and `/echo` answer as they are called."""

    name = ""
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = {"app": self.name, "method": self.command, "target": self.path, "headers": dict(self.headers)}
        said = body if self.path == "/echo" else json.dumps({**asked, "body": body.decode()}).encode()
        self.send_response({"/redirect": 302, "/teapot": 418}.get(self.path, 200))
        self.send_header("Content-Type", "text/x-own")
        self.send_header("Content-Length", str(len(said)))
        if self.path == "/redirect":
            self.send_header("Location", "/elsewhere")
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def app(name: str) -> Iterator[str]:
    """A running app; gives its URL, as a container would have one."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type(name, (App,), {"name": name})) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class Api:
    """An HTTP API with one integration, as Portcall makes them."""

    def __init__(self, client: Any, url: str, **more: Any) -> None:
        self.client = client
        api = client.create_api(Name=f"api-{uuid.uuid4().hex[:8]}", ProtocolType="HTTP", **more)
        self.id, self.endpoint = api["ApiId"], api["ApiEndpoint"]
        self.integration = client.create_integration(
            ApiId=self.id,
            IntegrationType="HTTP_PROXY",
            IntegrationMethod="ANY",
            IntegrationUri=url,
            PayloadFormatVersion="1.0",
            RequestParameters={"overwrite:path": "$request.path"},
        )["IntegrationId"]
        client.create_route(ApiId=self.id, RouteKey="$default", Target=f"integrations/{self.integration}")
        client.create_stage(ApiId=self.id, StageName="$default", AutoDeploy=True)

    def ask(
        self, method: str = "GET", target: str = "/", body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        address = urlsplit(self.endpoint).netloc
        with closing(http.client.HTTPConnection(address, timeout=30)) as connection:
            connection.request(method, target, body or None, headers or {})
            answer = connection.getresponse()
            return answer, answer.read()

    def status(self, method: str = "GET", target: str = "/", body: bytes = b"") -> int:
        return self.ask(method, target, body)[0].status

    def move(self, url: str) -> None:
        self.client.update_integration(ApiId=self.id, IntegrationId=self.integration, IntegrationUri=url)


@contextmanager
def api(cloud: Cloud, url: str, **more: Any) -> Iterator[Api]:
    made = Api(cloud.client("apigatewayv2"), url, **more)
    try:
        yield made
    finally:
        made.client.delete_api(ApiId=made.id)


def test_an_http_api_forwards_the_whole_request_and_adds_its_own_headers(cloud: Cloud) -> None:
    with app("web") as url, api(cloud, url) as front:
        target = "/a%20b/c?x=1&y=a%20b&x=2&empty="
        _answer, body = front.ask("PATCH", target, b"some body", {"X-Own": "1", "Authorization": "Bearer it"})
        asked = json.loads(body)
        assert (asked["method"], asked["target"], asked["body"]) == ("PATCH", target, "some body")
        headers = {name.lower(): value for name, value in asked["headers"].items()}
        assert (headers["x-own"], headers["authorization"]) == ("1", "Bearer it")
        address = urlsplit(front.endpoint).netloc
        assert f"for=127.0.0.1;host={address};proto=http" in headers["forwarded"]
        assert headers["via"] == "HTTP/1.1 AmazonAPIGateway"
        assert headers["host"] == urlsplit(url).netloc


@pytest.mark.parametrize(
    ("asked", "arrives"), [("/a%2Fb", "/a/b"), ("/%C3%A4%3Fx", "/%C3%A4%3Fx"), ("/a%2525b", "/a%2525b")]
)
def test_escapes_in_a_path_are_decoded_and_what_no_path_may_hold_is_escaped_again(
    cloud: Cloud, asked: str, arrives: str
) -> None:
    with app("web") as url, api(cloud, url) as front:
        assert json.loads(front.ask("GET", asked)[1])["target"] == arrives


def test_an_answer_comes_through_as_it_is(cloud: Cloud) -> None:
    with app("web") as url, api(cloud, url) as front:
        redirect, _ = front.ask("GET", "/redirect")
        assert (redirect.status, redirect.headers["Location"]) == (302, "/elsewhere")
        assert redirect.headers["Content-Type"] == "text/x-own"
        assert redirect.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
        assert len(redirect.headers.get_all("Date") or []) == 1
        assert front.status("GET", "/teapot") == 418
        head, body = front.ask("HEAD", "/")
        assert (int(head.headers["Content-Length"]) > 0, body) == (True, b"")
        assert front.status("OPTIONS", "/") == 200


def test_paths_are_the_apps_own_whatever_the_cloud_means_by_them(cloud: Cloud) -> None:
    with app("web") as url, api(cloud, url) as front:
        for path in ("/_ministack/health", "/v2/app/manifests/latest", "/2015-03-31/functions", "/$default/x"):
            assert json.loads(front.ask("GET", path)[1])["target"] == path


def test_some_megabytes_pass_and_more_than_ten_are_refused_as_on_aws(cloud: Cloud) -> None:
    with app("web") as url, api(cloud, url) as front:
        sent = bytes(range(256)) * 4096 * 8
        assert front.ask("POST", "/echo", sent)[1] == sent
        assert front.status("POST", "/echo", bytes(11 * MEGABYTE)) == 413


def test_an_api_moves_to_another_app_and_is_unavailable_without_one(cloud: Cloud) -> None:
    with app("old") as old, api(cloud, old) as front:
        assert json.loads(front.ask()[1])["app"] == "old"
        with app("new") as new:
            front.move(new)
            assert json.loads(front.ask()[1])["app"] == "new"
        answer, body = front.ask()
        assert (answer.status, json.loads(body)) == (503, {"message": "Service Unavailable"})


def test_a_function_in_the_cloud_opens_it(cloud: Cloud) -> None:
    source = (
        "import urllib.request\n"
        "def handler(url, context):\n"
        "    return urllib.request.urlopen(url, timeout=5).read().decode()\n"
    )
    with app("web") as url, api(cloud, url) as front:
        kind, body = cloud.invoke(cloud.function(source), f"{front.endpoint}/x")
        assert not kind
        assert json.loads(body)["target"] == "/x"


def test_two_apis_have_two_hosts_both_loopback(cloud: Cloud) -> None:
    with app("one") as one, app("two") as two, api(cloud, one) as first, api(cloud, two) as second:
        hosts = {urlsplit(each.endpoint).hostname or "" for each in (first, second)}
        assert len(hosts) == 2
        assert all(host.startswith("127.") for host in hosts)
        assert [json.loads(each.ask()[1])["app"] for each in (first, second)] == ["one", "two"]


def test_it_opens_with_its_stage_and_closes_with_the_api(cloud: Cloud) -> None:
    client = cloud.client("apigatewayv2")
    with app("web") as url, api(cloud, url, Tags={"portcall:app": "web"}) as front:
        (found,) = [each for each in client.get_apis()["Items"] if each["ApiId"] == front.id]
        assert (found["ApiEndpoint"], found["Tags"]) == (front.endpoint, {"portcall:app": "web"})
        client.delete_stage(ApiId=front.id, StageName="$default")
        assert front.status() == 404

    def closed() -> bool:
        try:
            front.ask()
        except OSError:
            return True
        return False

    assert eventually(closed)


def test_an_api_is_known_by_its_name_and_its_tags_and_its_parts_by_nothing(cloud: Cloud) -> None:
    """Tags are inherited in API Gateway's API for REST APIs only."""
    arn = f"arn:aws:apigateway:{cloud.region}::"
    change = {
        "Effect": "Allow",
        "Action": ["apigateway:PATCH", "apigateway:DELETE"],
        "Resource": f"{arn}/apis/*",
    }
    by_name = {**change, "Condition": {"StringLike": {"apigateway:Resource/ApiName": "ours *"}}}
    by_tag = {**change, "Condition": {"StringEquals": {"aws:ResourceTag/by": "us"}}}
    named = {"Condition": {"StringLike": {"apigateway:Request/ApiName": "ours *"}}}
    create = {"Effect": "Allow", "Action": "apigateway:POST", "Resource": f"{arn}/apis", **named}
    client = cloud.user(create, by_name)("apigatewayv2")
    root = cloud.client("apigatewayv2")
    made = client.create_api(Name="ours web", ProtocolType="HTTP", Target="http://127.0.0.1:9001")["ApiId"]
    theirs = root.create_api(
        Name="theirs", ProtocolType="HTTP", Target="http://127.0.0.1:9001", Tags={"by": "us"}
    )
    (part,) = root.get_integrations(ApiId=theirs["ApiId"])["Items"]
    client.update_api(ApiId=made, Target="http://127.0.0.1:9002")
    tagged = cloud.user(by_tag)("apigatewayv2")
    tagged.update_api(ApiId=theirs["ApiId"], Target="http://127.0.0.1:9002")
    ids = {"ApiId": theirs["ApiId"], "IntegrationId": part["IntegrationId"]}
    for change_it in (
        lambda: client.create_api(Name="theirs", ProtocolType="HTTP"),
        lambda: client.create_api(Name="ours b", ProtocolType="HTTP", Tags={"by": "us"}),
        lambda: client.update_api(ApiId=theirs["ApiId"], Name="ours b"),
        lambda: client.delete_api(ApiId=theirs["ApiId"]),
        lambda: tagged.update_integration(**ids, IntegrationUri="http://127.0.0.1:9003"),
        lambda: tagged.update_api(ApiId=made, Target="http://127.0.0.1:9003"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            change_it()
    client.delete_api(ApiId=made)
    root.delete_api(ApiId=theirs["ApiId"])
