"""Who may use the page: tested with requests by hand, and with hostile pages in a real browser."""

import http.client
import http.server
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from portcall.console import security
from portcall.console.security import Door
from tests.console.conftest import Open, Serve
from tests.console.world import World
from tests.e2e.browser import QUIET

pytestmark = pytest.mark.long(15)

HOSTILE = [
    "<img src=x onerror=alert(1)>\x1b[31m",
    "evil\u202egnp.exe",
    "'\"><script>alert(2)</script>",
    "a" * 200,
]


class Answer:
    """What the page answered to a request by hand."""

    def __init__(self, door: Door, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers={"Host": f"127.0.0.1:{door.port}", **named})
        answer = connection.getresponse()
        self.status, self.headers, self.text = answer.status, answer.headers, answer.read().decode()
        connection.close()


def come_in(door: Door) -> str:
    """Use the link, and return the cookie as a browser sends it."""
    answer = Answer(door, door.link.partition(f":{door.port}")[2])
    assert answer.status == 200
    return str(answer.headers["Set-Cookie"]).partition(";")[0]


@pytest.fixture
def cookie(door: Door) -> str:
    return come_in(door)


def test_the_link_is_good_for_one_browser_and_the_terminal_has_the_next(serve: Serve) -> None:
    links: list[str] = []
    door = serve(next_link=links.append)
    used = door.link.partition(f":{door.port}")[2]
    assert Answer(door, used, "HEAD").status == 401
    assert Answer(door, used).status == 200
    again = Answer(door, used)
    assert (again.status, again.headers["Set-Cookie"]) == (401, None)
    assert "This link was already used" in again.text
    assert links == [door.link]
    assert Answer(door, door.link.partition(f":{door.port}")[2]).status == 200


def test_the_cookie_is_for_this_run_alone(serve: Serve) -> None:
    door = serve()
    answer = Answer(door, door.link.partition(f":{door.port}")[2])
    flags = {each.strip() for each in str(answer.headers["Set-Cookie"]).split(";")[1:]}
    assert flags == {"HttpOnly", f"Path={door.prefix}", "SameSite=Strict"}
    cookie = str(answer.headers["Set-Cookie"]).partition(";")[0]
    assert cookie.startswith(f"portcall-{door.port}=")
    another = serve()
    mine = f"portcall-{another.port}={cookie.partition('=')[2]}"
    assert Answer(another, f"{another.prefix}/", Cookie=mine).status == 401
    assert Answer(door, f"{door.prefix}/", Cookie=cookie).status == 200


@pytest.mark.parametrize(
    "path", ["/", "/apps/flask-app", "/deployments/x?app=y", "/?live=1", "/static/own.css", "/nothing"]
)
def test_without_the_cookie_nothing_is_answered(door: Door, path: str) -> None:
    answer = Answer(door, door.prefix + path)
    assert answer.status == 401
    assert "did not open the link" in answer.text
    assert Answer(door, path).status == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "0.0.0.0", "[::1]", ""]
)
def test_another_name_of_this_machine_is_refused(door: Door, cookie: str, host: str) -> None:
    """DNS rebinding: a name of the attacker's resolves to this machine, and the browser thinks that all is of one origin."""
    assert Answer(door, f"{door.prefix}/", Host=host, Cookie=cookie).status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "http://evil.example"},
    ],
)
def test_a_write_request_is_refused_unless_the_page_itself_sent_it(
    door: Door, cookie: str, headers: dict[str, str]
) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = Answer(door, f"{door.prefix}/", method, Cookie=cookie, **headers)
        assert (answer.status, "This request came from another page" in answer.text) == (403, True)
    own = {"Sec_Fetch_Site": "same-origin", "Origin": f"http://127.0.0.1:{door.port}"}
    # It gets as far as there being nothing to post to.
    assert Answer(door, f"{door.prefix}/", "POST", Cookie=cookie, **own).status == 405


def test_a_read_only_page_takes_nothing(serve: Serve) -> None:
    door = serve(read_only=True)
    cookie = come_in(door)
    answer = Answer(door, f"{door.prefix}/", "POST", Cookie=cookie, Sec_Fetch_Site="same-origin")
    assert (answer.status, "This page is read-only" in answer.text) == (403, True)


def test_every_answer_says_what_a_browser_may_do_with_it(door: Door, cookie: str, world: World) -> None:
    for path in (f"{door.prefix}/", f"{door.prefix}/nothing", "/enter", f"{door.prefix}/static/own.css"):
        answer = Answer(door, path, Cookie=cookie)
        for name, value in security.HEADERS.items():
            assert answer.headers[name] == value, (path, name)
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert answer.headers["Cache-Control"] == (
            "private, max-age=3600" if path.endswith(".css") else "no-store"
        )
    assert "unsafe" not in security.POLICY
    assert Answer(door, f"{door.prefix}/", "OPTIONS", Cookie=cookie, Origin="http://evil.example").status == 403


def test_a_flood_is_refused(door: Door, cookie: str) -> None:
    own = {"Sec_Fetch_Site": "same-origin", "Content_Type": "application/x-www-form-urlencoded"}
    answer = Answer(door, f"{door.prefix}/", "POST", b"reason=" + b"a" * 70_000, Cookie=cookie, **own)
    assert answer.status in (405, 413)


def test_names_and_log_lines_of_others_are_text(world: World, open_page: Open) -> None:
    for app in HOSTILE:
        world.live(app, ago=500)
        world.fail(
            app, HOSTILE[0], ago=10, reason=HOSTILE[2], hint=HOSTILE[0], log=[*HOSTILE, "\x1b]0;owned\x07"]
        )
    page = open_page()
    dialogs: list[Any] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog))
    expect(page.locator("#apps tbody tr")).to_have_count(len(HOSTILE))
    for row in range(len(HOSTILE)):
        page.goto(f"{page.url.partition('apps')[0]}")
        page.locator("#apps [data-row]").nth(row).click()
        expect(page.locator("h1")).to_be_visible()
        page.locator("#history [data-row]").first.click()
        expect(page.locator("pre.log")).to_contain_text("<script>alert(2)</script>")
        page.go_back()
        page.go_back()
    assert dialogs == []
    assert page.locator("#view img, #view script").count() == 0
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page.content())


def test_only_an_address_of_the_web_is_a_link(world: World, open_page: Open) -> None:
    world.live("flask-app", url="javascript:alert(1)")
    world.live("tcp-app", url="tcp://203.0.113.7:6379")
    page = open_page()
    expect(page.locator("#apps")).to_contain_text("javascript:alert(1)")
    assert page.locator("#apps td a").count() == 0
    world.live("web-app")
    page.reload()
    link = page.locator("#apps td a")
    expect(link).to_have_attribute("rel", "noreferrer noopener")


# ── Pages of others, in the same browser


class Foreign(http.server.BaseHTTPRequestHandler):
    """A server of somebody else's on another port of this machine."""

    seen: list[str] = []  # noqa: RUF012 - set again for each server

    def do_GET(self) -> None:
        self.seen.append(str(self.headers["Cookie"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>foreign</title>")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def foreign() -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []
    handler = type("Handler", (Foreign,), {"seen": seen})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", seen
    server.shutdown()
    server.server_close()
    thread.join()


TRY = """async url => {
  const tried = {};
  for (const [name, options] of Object.entries({
    get: {}, cookies: {credentials: "include"}, blind: {mode: "no-cors", credentials: "include"},
    post: {method: "POST", credentials: "include"}, blind_post: {method: "POST", mode: "no-cors", credentials: "include"},
  })) {
    try {
      const answer = await fetch(url, options);
      tried[name] = `${answer.type} ${answer.status} ${(await answer.text()).length}`;
    } catch (error) { tried[name] = "refused"; }
  }
  tried.frame = await new Promise(done => {
    const frame = document.createElement("iframe");
    frame.onload = () => { try { done(frame.contentDocument?.body?.innerText || "refused") } catch { done("refused") } };
    frame.src = url;
    document.body.append(frame);
    setTimeout(() => done("refused"), 3000);
  });
  return tried;
}"""


def test_a_page_of_another_port_learns_nothing_and_gets_no_cookie(
    world: World, open_page: Open, door: Door, foreign: tuple[str, list[str]]
) -> None:
    """Even one that knows the address, which it has no way to."""
    world.live("secret-app")
    page = open_page()
    expect(page.locator("#apps")).to_contain_text("secret-app")
    url, cookies = foreign
    other = page.context.new_page()
    other.goto(url)
    tried = other.evaluate(TRY, f"http://127.0.0.1:{door.port}{door.prefix}/")
    assert {name for name, answer in tried.items() if answer != "refused"} == set(), tried
    assert cookies
    assert set(cookies) == {"None"}
    # A cookie that the page has set does not keep the browser from its own page either.
    expect(page.locator("#apps")).to_contain_text("secret-app")


def test_a_name_that_points_here_finds_a_closed_door(door: Door, browser: Browser, program: str) -> None:
    args = [*QUIET, "--host-resolver-rules=MAP evil.test 127.0.0.1"]
    rebound = browser.browser_type.launch(executable_path=program, args=args)
    page = rebound.new_page()
    for path in (door.link.partition(f":{door.port}")[2], f"{door.prefix}/"):
        answer = page.goto(f"http://evil.test:{door.port}{path}")
        assert answer
        assert answer.status == 400
    assert rebound.contexts[0].cookies() == []
    rebound.close()


def test_a_foreign_form_that_is_sent_by_a_click_does_nothing(
    door: Door, open_page: Open, foreign: tuple[str, list[str]], context: BrowserContext
) -> None:
    open_page()
    other = context.new_page()
    other.goto(foreign[0])
    other.evaluate(
        """url => { const form = document.createElement("form"); form.method = "post"; form.action = url;
        document.body.append(form); form.submit(); }""",
        f"http://127.0.0.1:{door.port}{door.prefix}/",
    )
    expect(other.locator("body")).to_contain_text("This request came from another page")
