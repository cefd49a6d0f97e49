"""`portcall secrets`: an app's variables in Parameter Store. Values are written, never read."""

import json
import sys
from collections.abc import Callable
from typing import Any

import click
from deployer.aws.client import code_of
from deployer.domain.errors import AwsRefusedError
from rich.text import Text

from portcall.cli.layout import Row, age, cell, show_table
from portcall.cli.options import SCHEMA, complete_app, say, target_of, target_options
from portcall.core import reading
from portcall.core import secrets as kept
from portcall.core.states import seconds_of
from portcall.core.target import Target
from portcall.core.terminal import Terminal
from portcall.core.trouble import Exit, Trouble

STAGED = "* changed after the running version was started: it takes effect with the next push, or now: "


def of_app(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument APP and the options that these commands share."""
    previews = click.option(
        "--previews", is_flag=True, help="The secrets that all previews of the repository share."
    )
    return click.argument("app", shell_complete=complete_app)(previews(target_options(command)))


@click.group()
def secrets() -> None:
    """Manage an app's variables in Parameter Store. Values are written, never read."""


@secrets.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@of_app
def list_(app: str, previews: bool, as_json: bool, **options: Any) -> None:
    """List the names and when each was changed; * means that the running version has an older value."""
    target = target_of(options, quiet=as_json)
    found = target.ask(lambda _: kept.kept(_folder(app, previews)))
    since = _since(target, app)
    if as_json:
        names = [
            {"name": each.name, "changed_at": int(each.changed_at), "staged": _is_staged(each, since)}
            for each in found
        ]
        click.echo(json.dumps({**SCHEMA, "app": app, "secrets": names}, indent=2))
    elif found:
        rows = [
            Row(
                [cell(each.name), cell("*" if _is_staged(each, since) else ""), cell(age(int(each.changed_at)))]
            )
            for each in found
        ]
        show_table(Terminal(), ("NAME", "", "CHANGED"), rows)
        if any(_is_staged(each, since) for each in found):
            say(f"{STAGED}portcall deploy {app}", style="dim")
    else:
        say(f"{app} has no secrets. Set one: portcall secrets set {app} NAME")


@secrets.command("set")
@of_app
@click.argument("name")
def set_(app: str, name: str, previews: bool, **options: Any) -> None:
    """Set one variable; its value is asked for, or read from standard input."""
    if "=" in name:
        raise click.UsageError(
            "Give only the name: a value on the command line is in your shell's history, and every process "
            "can see it. Portcall asks for the value, or pipe it in."
        )
    target = target_of(options)
    _put(target, _folder(app, previews), {name: _value(name)}, app)


@secrets.command("import")
@of_app
def import_(app: str, previews: bool, **options: Any) -> None:
    """Set all variables of a .env file: portcall secrets import APP < .env"""
    if sys.stdin.isatty():
        raise click.UsageError(f"Pipe the file in: portcall secrets import {app} < .env")
    try:
        found = kept.parse(sys.stdin.read())
    except (ValueError, UnicodeDecodeError) as error:
        raise click.UsageError(
            "It is not UTF-8." if isinstance(error, UnicodeDecodeError) else str(error)
        ) from None
    if not found:
        raise click.UsageError("It contains no variable.")
    _put(target_of(options), _folder(app, previews), found, app)


@secrets.command()
@of_app
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def unset(app: str, names: tuple[str, ...], previews: bool, **options: Any) -> None:
    """Remove variables."""
    target = target_of(options)
    folder = _folder(app, previews)
    for name in names:
        try:
            target.ask(lambda _, name=name: kept.remove(folder, name))  # type: ignore[misc]
        except Trouble as trouble:
            cause = trouble.__cause__
            if isinstance(cause, AwsRefusedError) and code_of(cause) == "ParameterNotFound":
                raise Trouble(f"{app} has no secret {name}.", Exit.NO_SUCH_THING) from None
            raise
        say(f"Removed {name}.")
    _say_when(app)


def _folder(app: str, previews: bool) -> str:
    # Secrets belong to a repository: its tags share them.
    return kept.folder(app.partition(":")[0], previews=previews)


def _value(name: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(f"Value of {name}", hide_input=True, err=True))
    try:
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise click.UsageError("The value is not UTF-8.") from None


def _put(target: Target, folder: str, values: dict[str, str], app: str) -> None:
    # All or none: if one of them is invalid, nothing is written.
    for name, value in values.items():
        if trouble := kept.problem(name, value):
            raise click.UsageError(trouble)
    for name, value in values.items():
        target.ask(lambda _, name=name, value=value: kept.put(folder, name, value))  # type: ignore[misc]
        say(f"Set {name}.")
    _say_when(app)


def _say_when(app: str) -> None:
    say(Text("It takes effect with the next push, or now: portcall deploy ") + cell(app))


def _since(target: Target, app: str) -> int:
    """When the running version was started, in UNIX seconds, 0 if none runs."""
    try:
        serving = reading.app_status(target, app).serving
    except Trouble as trouble:
        # Secrets may exist before the app, and a user who sets them may not be allowed to see the app.
        if trouble.exit_code in (Exit.NO_SUCH_THING, Exit.NOT_ALLOWED):
            return 0
        raise
    return seconds_of(serving.since) if serving else 0


def _is_staged(secret: kept.Secret, since: int) -> bool:
    return bool(since) and secret.changed_at > since
