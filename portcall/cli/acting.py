"""Shared by the commands that change something: options, the confirmation, and following the deployment."""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import click
from deployer.domain.operation import MAX_REASON
from deployer.domain.text import at

from portcall.cli.options import SCHEMA, say, target_of, target_options
from portcall.core import states
from portcall.core.doctor import install
from portcall.core.doctor.judgement import Result
from portcall.core.operating import follow, operate
from portcall.core.target import Target
from portcall.core.terminal import Terminal, fail, plain
from portcall.core.trouble import Exit, Trouble

# The fields of `--json`, the same for all of these commands; '' if a command has no such value.
FIELDS = (
    "action",
    "app",
    "outcome",
    "exit_code",
    "deployment",
    "tag",
    "digest",
    "from_tag",
    "from",
    "url",
    "serving",
    "reason",
    "hint",
)
# Seconds between two lines of output without a terminal.
SPEAK_SECONDS = 10.0


def acting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--reason`, `--yes`, `--json` and the target."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option("-y", "--yes", is_flag=True, help="Do not ask first."),
        click.option(
            "-m",
            "--reason",
            metavar="TEXT",
            default="",
            help="The reason. It is recorded and shown with your name.",
        ),
    ):
        command = option(command)
    return target_options(command)


def waiting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--no-wait` and `--timeout`."""
    command = click.option(
        "--timeout",
        metavar="SECONDS",
        type=click.IntRange(min=0),
        default=900,
        show_default=True,
        help="How long to wait.",
    )(command)
    return click.option("--no-wait", is_flag=True, help="Start it and return at once.")(command)


def target_to_change(options: dict[str, Any], reason: str = "") -> Target:
    """The target. Before anything is changed, it is printed, with a warning if its version is different."""
    if len(reason) > MAX_REASON:
        raise Trouble(f"--reason has {len(reason)} characters; the limit is {MAX_REASON}.", Exit.USAGE)
    target = target_of(options)
    own = version("portcall")
    found = install.version(target.version(own), own)
    if found.result != Result.OK:
        # The stack refuses an action that it does not know.
        say(f"{found.said} {found.do}", style="yellow")
    return target


def which_answers(url: str) -> str:
    """The URL of an app, for a question; '' if it has none."""
    return f", which answers{at(url)}" if url else ""


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal; without one, `--yes` is required. Raises Trouble."""
    if yes:
        return
    _must_be_a_terminal("--yes")
    if not click.confirm(plain(question), err=True):
        raise Trouble("Nothing was changed.", Exit.NO)


def confirm_by_name(app: str, question: str, typed: str) -> None:
    """Ask for the app's name, so that no production app is ended by mistake. Raises Trouble."""
    if not typed:
        _must_be_a_terminal(f"--confirm {app}")
        say(question)
        typed = click.prompt(f"Type {plain(app)} to end it", default="", show_default=False, err=True)
    if typed != app:
        raise Trouble(f"That is not {app}. Nothing was changed.", Exit.NO)


def _must_be_a_terminal(option: str) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Trouble(
            f"This command asks for confirmation, and there is no terminal. To skip the question: {option}",
            Exit.USAGE,
        )


def carry_through(
    target: Target, words: dict[str, str], *, said: str, no_wait: bool, timeout: int, as_json: bool
) -> None:
    """Request a deployment, follow it unless `--no-wait`, and exit with the code of its outcome."""
    answer = operate(target, **words)
    say(f"{said} Deployment: {answer['deployment']}")
    document = {"action": words["action"], **{key: value for key, value in answer.items() if key != "status"}}
    if no_wait:
        finish(document | {"outcome": "started", "exit_code": 0}, as_json=as_json)
        return
    try:
        with _Speaking() as speak:
            ended = follow(target, answer["app"], answer["deployment"], timeout=timeout, speak=speak)
    except KeyboardInterrupt:
        say(f"The deployment continues. To see it: portcall show {answer['deployment']}")
        raise
    ended.pop("status", None)
    finish(document | ended, as_json=as_json)


def finish(document: dict[str, Any], *, as_json: bool) -> None:
    """Print the result on standard output and notes on standard error, and exit with the code."""
    code = Exit(int(document["exit_code"]))
    app, outcome = str(document["app"]), str(document["outcome"])
    if as_json:
        click.echo(json.dumps({**SCHEMA, **{name: document.get(name, "") for name in FIELDS}}))
    elif code == Exit.YES and document.get("url"):
        click.echo(document["url"])
    if code == Exit.YES:
        if outcome == "live":
            what = states.version(str(document["tag"]), str(document["digest"]))
            say(f"{app} is live: {what}")
        return
    lines = [f"{app}: {outcome}. {document['reason']}".strip(), str(document.get("hint") or "")]
    if outcome == "unknown":
        lines = [str(document["reason"])]
    if document.get("serving"):
        lines.append(f"Still running: {document['serving']}")
    fail("\n".join(filter(None, lines)))
    raise click.exceptions.Exit(code)


class _Speaking:
    """Shows the progress: a spinner on a terminal, elsewhere a line now and then."""

    def __init__(self) -> None:
        self._console = Terminal(stderr=True)
        self._status = self._console.status("...") if self._console.is_terminal else None
        self._spoken = time.monotonic()

    def __enter__(self) -> Callable[[str], object]:
        if self._status:
            self._status.start()
        return self._speak

    def _speak(self, text: str) -> None:
        if self._status:
            self._status.update(plain(text))
        elif time.monotonic() - self._spoken >= SPEAK_SECONDS:
            self._spoken = time.monotonic()
            say(f"{time.strftime('%H:%M:%S')} {text}")

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()
