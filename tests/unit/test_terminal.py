"""Text of other people on the terminal: no markup, no emoji codes, no escape sequences."""

import ast
import contextlib
import io
import json
import mailbox
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from deployer.domain import text
from deployer.domain.deployment import FAILED, Current, Deployment

from localcloud import cloud
from localcloud.executions import State
from localcloud.inbox import Received, read
from localcloud.processes import CloudError
from localcloud.settings import CloudSettings
from portcall.cli import demo, env, history, inbox, main, show, status, up
from portcall.cli.progress import Progress
from portcall.core import reading
from portcall.core.reading import AppHistory
from portcall.core.states import AppStatus
from portcall.core.terminal import Terminal, plain

ROOT = Path(__file__).parents[2]
HOSTILE = {
    "closes nothing": "./[/x]",
    "a style": "[bold red]loud[/]",
    "a link": "[link=https://evil.test]click[/link]",
    "an action": "[@click=app.quit]x[/]",
    "an emoji code": ":skull: :smile:",
    "unbalanced": "[[[/]][/bold] \\[x]",
    "a path": "[/etc/passwd] [dim]",
}
OBEYED = {
    "colours": ("\x1b[31mred\x1b[0m", "red"),
    "a title": ("\x1b]0;title\x07x", "x"),
    "the clipboard": ("\x1b]52;c;ZXZpbA==\x07x", "x"),
    "a link": ("\x1b]8;;https://evil.test\x1b\\click", "click"),
    "a line rewritten": ("a\rb\x08c", "a�b�c"),
    "bidi": ("a\u202eb", "a�b"),
    "C1": ("a\x9b31mb", "a�31mb"),
    "unfinished": ("a\x1b[", "a"),
}


@pytest.fixture(params=[False, True], ids=["pipe", "terminal"])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Every Terminal that is made writes here; returns what it shows, without our own styles."""
    shown = io.StringIO()
    made = Terminal.__init__

    def init(self: Terminal, **options: Any) -> None:
        made(self, **{**options, "file": shown, "force_terminal": request.param, "width": 400, "stderr": False})

    monkeypatch.setattr(Terminal, "__init__", init)
    return lambda: text.ESCAPES.sub("", shown.getvalue())


def mail(text: str) -> Received:
    return Received("1", "2026-11-25T10:00:00", text, text, text, f"first\n{text}\n", {"outcome": "failed"})


def show_mail(text: str) -> None:
    inbox.show(Terminal(), mail(text))


def follow_phases(text: str) -> None:
    with contextlib.suppress(ValueError), Progress(Terminal()) as progress:
        progress(text)
        progress(f"{text} (1 of 2)")
        raise ValueError


def list_apps(text: str) -> None:
    deployment = Deployment(
        text, text, text, f"sha256:{text}", outcome=FAILED, reason=text, hint=text, log=[text]
    )
    current = Current(text, 0, text, text, f"sha256:{text}", text, text, text)
    account = SimpleNamespace(remember_apps=lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        for module in (status, history, show):
            patch.setattr(module, "target_of", lambda *_, **__: account)
        patch.setattr(reading, "all_apps", lambda _: [AppStatus(text, text, current, deployment, 0, text)])
        patch.setattr(reading, "app_status", lambda *_: AppStatus(text, text, current, deployment, 0, text))
        stop = {"action": "stop", "by": text, "reason": text, "at": text}
        patch.setattr(reading, "stops", lambda *_: [stop])
        patch.setattr(reading, "history", lambda *_: AppHistory(text, current, [deployment]))
        patch.setattr(reading, "known", lambda *_: AppHistory(text, current, [deployment]))
        for command in (status.status, history.history, show.show):
            CliRunner().invoke(command, [text] if command is not status.status else [], catch_exceptions=False)
        CliRunner().invoke(status.status, ["any"], catch_exceptions=False)


def stay_up(text: str) -> None:
    mails, alive = [[], [mail(text)]], [True, False]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cloud, "is_up", lambda _: alive.pop(0))
        patch.setattr(up, "read", lambda _: mails.pop(0))
        patch.setattr(up, "take_down", lambda *_: None)
        patch.setattr("time.sleep", lambda _: None)
        patch.setattr("signal.signal", lambda *_: None)
        up._stay(Terminal(), CloudSettings())


def end_with_a_sentence(text: str) -> None:
    def refuse() -> None:
        raise CloudError(f"`docker push` failed. The end of its output:\n{text}")

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(SystemExit):
        patch.setattr(main, "cli", lambda **_: refuse())
        main.main()


def end_with_the_systems_words(text: str) -> None:
    def refuse() -> None:
        raise OSError(28, "No space left", text)

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(SystemExit):
        patch.setattr(main, "cli", lambda **_: refuse())
        main.main()


def visit(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(CloudError):
        patch.setattr("urllib.request.urlopen", lambda *_, **__: io.BytesIO(text.encode()))
        demo._visit(Terminal(), "http://127.0.0.1:1/")


def test_each_demo_pushes_an_image_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """ECR sends no event of an image that it has, so a second demo would deploy nothing."""
    built: list[str] = []

    def docker(_: object, *arguments: str) -> None:
        if "--label" in arguments:
            built.append(arguments[arguments.index("--label") + 1])

    monkeypatch.setattr(demo, "bring_up", lambda *_, **__: CloudSettings())
    monkeypatch.setattr(demo, "read", lambda _: [])
    monkeypatch.setattr(demo, "ensure_base_image", lambda *_: None)
    monkeypatch.setattr(demo, "_docker", docker)
    monkeypatch.setattr(demo, "follow", lambda *_, **__: time.sleep(0.002) or [])
    monkeypatch.setattr(demo, "_mail", lambda *_: mail("live"))
    for _ in range(2):
        CliRunner().invoke(demo.demo)
    assert len(set(built)) == 2
    assert all(label.startswith("org.opencontainers.image.created=") for label in built)


def follow_a_demo(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "bring_up", lambda *_, **__: CloudSettings())
        patch.setattr(demo, "read", lambda _: [])
        patch.setattr(demo, "ensure_base_image", lambda *_: None)
        patch.setattr(demo, "_docker", lambda *_: None)
        patch.setattr(demo, "follow", lambda *_, **__: [State(text, 1.0, ok=True)])
        patch.setattr(demo, "_mail", lambda *_: mail(text))
        with pytest.raises(CloudError):
            CliRunner().invoke(demo.demo, catch_exceptions=False)


SHOWS = [
    show_mail,
    follow_phases,
    list_apps,
    stay_up,
    end_with_a_sentence,
    end_with_the_systems_words,
    visit,
    follow_a_demo,
]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("show", SHOWS)
def test_no_text_of_others_is_markup(
    screen: Callable[[], str], show: Callable[[str], None], hostile: str
) -> None:
    show(HOSTILE[hostile])
    assert HOSTILE[hostile] in screen()


@pytest.mark.parametrize("obeyed", OBEYED)
@pytest.mark.parametrize("show", SHOWS)
def test_no_text_of_others_is_a_command_to_the_terminal(
    screen: Callable[[], str], show: Callable[[str], None], obeyed: str
) -> None:
    text, shown = OBEYED[obeyed]
    show(text)
    assert shown in screen()
    assert not set("\x1b\x9b\x08\u202e") & set(screen().replace("\x1b[2K", "").replace("\x1b[1A", ""))


def test_lines_and_tabs_stay() -> None:
    assert plain("a\n\tb ✓ 漢字") == "a\n\tb ✓ 漢字"


def test_nothing_else_writes_to_the_terminal() -> None:
    """One place makes text harmless, so no other may make a console or read markup."""
    for file in [*(ROOT / "portcall").rglob("*.py"), *(ROOT / "localcloud").rglob("*.py")]:
        if file.name == "terminal.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            module = node.module if isinstance(node, ast.ImportFrom) else ""
            assert "rich.console" not in [module, *names], file
            assert module not in ("rich", "rich.markup"), file
            assert not (isinstance(node, ast.Attribute) and node.attr == "from_markup"), file


def test_programs_get_every_character_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTCALL_STATE_DIR", str(tmp_path))
    message = EmailMessage()
    message["Date"], message["From"], message["To"] = "Wed, 25 Nov 2026 10:00:00 +0000", "a@b.c", "d@e.f"
    message["Subject"] = "[/x] says"
    message.set_content("\x1b[31mred")
    mailbox.Maildir(tmp_path / "inbox").add(message)
    said = CliRunner().invoke(inbox.inbox, ["--json"], catch_exceptions=False).output
    assert "\x1b" not in said
    assert json.loads(said)[0]["text"] == "\x1b[31mred\n"
    assert CliRunner().invoke(env.env).exception


def test_a_folded_header_is_read_whole(tmp_path: Path) -> None:
    app = "team/" + "a-repository-with-a-very-long-name-" * 3
    subject = f"{app} is live: http://127.0.0.1:3000/"
    headers = ["Date: Wed, 25 Nov 2026 10:00:00 +0000", "From:\n a@b.c", "To:\n d@e.f", f"Subject:\n {subject}"]
    raw = "\n".join([*headers, f"X-SNS-Attribute-app:\n {app}", "", "text"])
    mailbox.Maildir(tmp_path / "inbox").add(raw.encode())
    (received,) = read(tmp_path / "inbox")
    assert (received.subject, received.sender, received.to) == (subject, "a@b.c", "d@e.f")
    assert received.attributes == {"app": app}
