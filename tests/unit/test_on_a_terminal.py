"""On a real terminal: questions, input, and a live table."""

import contextlib
import fcntl
import importlib
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import traceback
from types import SimpleNamespace

import pytest
from deployer.domain.deployment import Deployment

from portcall.cli import acting, main, options
from portcall.core import operating
from portcall.core.following import Sight

# The function of that name hides the module.
watch = importlib.import_module("portcall.cli.watch")
PLAN = {
    "app": "flask-app",
    "tag": "latest",
    "digest": "sha256:new",
    "url": "http://203.0.113.7:3000/",
    "preview": "",
}
# Seconds.
ANSWERS_WITHIN = 20
CTRL_C = "\x03"
ACTED = "ACTED: "


@pytest.fixture(autouse=True)
def stack(monkeypatch):
    """A stack that does what it is asked, and says so on the terminal."""

    def invoke(target, words):
        if words.get("dry_run"):
            return {"status": "possible", **PLAN, "from": "sha256:old", "from_tag": "latest"}
        print(f"{ACTED}{words['action']}", flush=True)
        return {"status": "ended", "deployment": "d-1", **PLAN}

    target = SimpleNamespace(name="portcall in eu-west-1", stack="portcall", embedded=False, version=str)
    monkeypatch.setattr(options, "choose", lambda **_: target)
    monkeypatch.setattr(operating, "invoke", invoke)
    monkeypatch.setattr(operating, "claimed_name", lambda _: "ann")


def on_a_terminal(*words, typed=(), columns=80):
    """`portcall ...` in a process with a terminal of its own: its exit code, and all that was written there.

    `typed` are pairs: what is waited for, and what is typed then. Ctrl-C is pressed again until it has an
    effect: readline ignores one in the moment before it begins to wait.
    """
    child, terminal = pty.fork()
    if not child:
        _run(words)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    written, todo, last, silence = "", list(typed), "", 0
    with contextlib.suppress(OSError):
        while silence < ANSWERS_WITHIN:
            if select.select([terminal], [], [], 1)[0]:
                silence, written = 0, written + os.read(terminal, 4096).decode("utf-8", "replace")
            else:
                silence += 1
                if last == CTRL_C:
                    os.write(terminal, CTRL_C.encode())
            if todo and todo[0][0] in written:
                last = todo.pop(0)[1]
                os.write(terminal, last.encode())
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert todo == [], written
    return os.waitstatus_to_exitcode(status), written.replace("\r\n", "\n")


def _run(words):
    """In the child: the command, on the terminal and not on what pytest has put in its place."""
    code = 99
    try:
        os.environ.update(TERM="xterm", NO_COLOR="1")
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main.cli(list(words))
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@pytest.mark.parametrize(
    ("name", "code", "acted"),
    [("flask-app", 0, True), ("web", 1, False), ("", 1, False), ("Flask-App", 1, False)],
)
def test_a_lasting_app_is_ended_only_by_typing_its_name(name, code, acted):
    ended, written = on_a_terminal("end", "flask-app", typed=[("Type flask-app to end it", f"{name}\n")])
    assert ended == code
    assert "End flask-app, which answers at http://203.0.113.7:3000/? It is not a preview." in written
    assert (f"{ACTED}end" in written, "flask-app has ended." in written) == (acted, acted)
    assert ("That is not flask-app. Nothing was changed." in written) == (not acted)


def test_yes_does_not_stand_for_the_name():
    ended, written = on_a_terminal("end", "flask-app", "--yes", typed=[("Type flask-app to end it", "\n")])
    assert (ended, ACTED in written) == (1, False)


@pytest.mark.parametrize(("answer", "code", "acted"), [("y\n", 0, True), ("\n", 1, False), ("n\n", 1, False)])
def test_a_question_is_answered_by_y_alone(answer, code, acted):
    ended, written = on_a_terminal("stop", "flask-app", typed=[("[y/N]", answer)])
    assert (ended, f"{ACTED}stop" in written) == (code, acted)


@pytest.mark.parametrize("command", ["stop", "end"])
def test_ctrl_c_at_a_question_changes_nothing(command):
    ended, written = on_a_terminal(command, "flask-app", typed=[("flask-app", CTRL_C)])
    assert ended == 130
    assert ACTED not in written
    assert "Traceback" not in written


def test_ctrl_c_while_it_waits_says_that_it_continues(monkeypatch):
    def follow(*_, speak, **__):
        speak("flask-app is on its way")
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(acting, "follow", follow)
    ended, written = on_a_terminal("restart", "flask-app")
    assert ended == 130
    assert "The deployment continues. To see it: portcall show d-1" in written
    assert "Traceback" not in written


class Looks:
    """What is on its way, look by look; then somebody presses Ctrl-C."""

    def __init__(self, *looks):
        self._looks = list(looks)

    def look(self):
        if not self._looks:
            raise KeyboardInterrupt
        return self._looks.pop(0)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_table_is_drawn_over_the_one_before_and_ends_stay(monkeypatch, columns):
    begun = Deployment("d-1", "2026-11-26T11:06:00Z", "latest", f"sha256:{'a' * 64}", began_at=1)
    live = Deployment(
        "d-1",
        "2026-11-26T11:06:00Z",
        "latest",
        f"sha256:{'a' * 64}",
        outcome="deployed",
        url="http://203.0.113.7/",
    )
    looks = Looks(
        ([Sight("web", begun, "RunTask")], []),
        ([Sight("web", begun, "CheckHealth")], []),
        ([], [Sight("web", live)]),
    )
    monkeypatch.setattr(watch, "Follower", lambda target: looks)
    monkeypatch.setattr(watch.time, "sleep", lambda seconds: None)
    ended, written = on_a_terminal("watch", columns=columns)
    assert ended == 130
    first, _, rest = written.partition("Start")
    assert "web" in first
    # The line before is erased, not scrolled away.
    assert "\x1b[2K" in rest.partition("Wait")[0]
    assert "http://203.0.113.7/" in rest
    assert json.dumps(written).count("http://203.0.113.7/") == 1
