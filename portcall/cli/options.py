"""The options that name the target, and the line that prints it first."""

from collections.abc import Callable
from typing import Any

import click
from rich.text import Text

from portcall.core.cache import known_apps
from portcall.core.target import Target, choose
from portcall.core.terminal import Terminal, plain

SCHEMA = {"schema": 1}


def complete_app(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The apps of the last listing whose names begin with this text."""
    return [each for each in known_apps() if each.startswith(incomplete)]


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--stack`, `--profile`, `--region` and `--local`, as `target_of` takes them."""
    for option in (
        click.option("--local", is_flag=True, help="The embedded cloud on this machine."),
        click.option("--region", metavar="NAME", default="", help="As for the AWS CLI; also AWS_REGION."),
        click.option("--profile", metavar="NAME", default="", help="As for the AWS CLI; also AWS_PROFILE."),
        click.option(
            "--stack", metavar="NAME", default="", help="The stack; also PORTCALL_STACK.  [default: portcall]"
        ),
    ):
        command = option(command)
    return command


def target_of(options: dict[str, Any], *, quiet: bool = False) -> Target:
    """The target that a command's options name; unless `quiet`, it is printed first."""
    target = choose(**options)
    if not quiet:
        say(target.name, style="dim")
    return target


def say(text: str | Text, style: str = "") -> None:
    """Print to standard error, like everything that is not the result."""
    console = Terminal(stderr=True)
    console.print(Text(plain(text)) if isinstance(text, str) else text, style=style, soft_wrap=True)
