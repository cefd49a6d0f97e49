"""Shared by `install` and `upgrade`: parameters, the change set, and the table of its progress."""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from portcall.cli.options import say
from portcall.cli.stack_table import StackTable, show_changes
from portcall.core.target import Target
from portcall.core.trouble import Exit, Trouble
from portcall.installer import changes
from portcall.installer.asking import asking
from portcall.installer.bucket import Bucket
from portcall.installer.packaged import Packaged

ENDED_WELL = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


class Parameter(NamedTuple):
    """A parameter of the template, with the value from the command line."""

    name: str
    value: str


class ParameterType(click.ParamType):
    """`Name=Value`."""

    name = "parameter"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Parameter:
        """Fail if the name is missing."""
        if isinstance(value, Parameter):
            return value
        name, equals, text = str(value).partition("=")
        if not equals or not name.isalnum():
            self.fail("write Name=Value, e.g. StableUrl=on", param, ctx)
        return Parameter(name, text)


def change_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--set`, `--bucket` and `--yes`."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option(
            "--bucket", default="", metavar="NAME", help="Upload to this bucket. Without it, one is created."
        ),
        click.option(
            "--set",
            "given",
            multiple=True,
            type=ParameterType(),
            metavar="NAME=VALUE",
            help="A parameter of the template.",
        ),
    ):
        command = option(command)
    return command


def account_line(target: Target, account: str) -> str:
    """The line that names the stack and the account, whether the stack exists or not."""
    profile = f" (profile {target.profile})" if target.profile else ""
    where = f"the embedded cloud at {target.endpoint.removeprefix('http://')}" if target.embedded else ""
    return where or f"{target.stack} in {target.region}, account {account}{profile}"


def parameters_of(stack: dict[str, Any]) -> dict[str, str]:
    """The parameters of an existing stack."""
    return {each["ParameterKey"]: each.get("ParameterValue", "") for each in stack.get("Parameters", [])}


def values_of(packaged: Packaged, given: tuple[Parameter, ...]) -> dict[str, str]:
    """Raises Trouble for a name that the template does not have."""
    unknown = [each.name for each in given if each.name not in packaged.parameters]
    if unknown:
        raise Trouble(
            f"There is no parameter {unknown[0]}. There are: {', '.join(sorted(packaged.parameters))}",
            Exit.USAGE,
        )
    return dict(given)


def ask_to_go_on(question: str, *, yes: bool) -> None:
    """Ask, unless `--yes` is given. Raises Trouble without a terminal, Exit after a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Trouble(
            "This command asks for confirmation, and there is no terminal. To skip the question: --yes",
            Exit.USAGE,
        )
    if not click.confirm(question, err=True):
        say("Nothing was changed.")
        raise click.exceptions.Exit(Exit.NO)


def run_change(
    target: Target,
    packaged: Packaged,
    bucket: Bucket,
    kind: str,
    parameters: list[dict[str, Any]],
    *,
    yes: bool,
) -> dict[str, str] | None:
    """Upload, show the change set, ask, and execute it; return the outputs, None if there was no change.

    Raises Trouble. If no stack was created, the uploads are removed.
    """
    with asking(target):
        bucket.prepare()
        before = set(bucket.keys(target.stack))
        uploads = packaged.uploads(target.stack)
        (at,) = template = packaged.template_upload(bucket.name, target.stack)
        for key, content in {**uploads, **template}.items():
            bucket.upload(key, content)
    try:
        with asking(target):
            change_set = changes.ChangeSet(target, kind, bucket.url(at), parameters)
            found = change_set.changes()
            if not found:
                say("There is nothing to change.")
                return None
            show_changes(found)
        try:
            ask_to_go_on("Continue?", yes=yes)
        except BaseException:
            with asking(target):
                change_set.discard()
            raise
        outputs = _execute(target, change_set, len(found), kind)
    except BaseException:
        # Earlier uploads belong to the installed version.
        if kind == "CREATE":
            with asking(target):
                bucket.remove(target.stack, keep=before)
                bucket.remove_if_empty()
        raise
    with asking(target):
        bucket.remove(target.stack, keep={*uploads, at})
    return outputs


def _execute(target: Target, change_set: changes.ChangeSet, number: int, kind: str) -> dict[str, str]:
    with asking(target):
        seen = {each.id for each in changes.events(target, change_set.stack_id)}
        change_set.execute()
        verb = "Installing" if kind == "CREATE" else "Upgrading"
        try:
            with StackTable(verb, number) as table:
                status, known = changes.follow(target, change_set.stack_id, seen, table)
        except KeyboardInterrupt:
            say(f"Interrupted. CloudFormation continues: see the stack {target.stack} in {target.region}.")
            raise click.exceptions.Exit(Exit.INTERRUPTED) from None
        if status not in ENDED_WELL:
            reason = changes.first_reason(known) or f"the stack is {status}"
            what = (
                "What it had created was deleted." if status == "DELETE_COMPLETE" else f"The stack is {status}."
            )
            raise Trouble(f"It failed. {reason}\n{what} Fix the cause, then run the command again.")
        stack = changes.describe(target, target.stack) or {}
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
