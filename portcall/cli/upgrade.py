"""`portcall upgrade`: updates an installed stack to this version, or changes its parameters."""

import re
from typing import Any

import click

from portcall.cli.installing import (
    Parameter,
    account_line,
    change_options,
    parameters_of,
    run_change,
    values_of,
)
from portcall.cli.options import say, target_options
from portcall.core.target import Target, choose
from portcall.core.trouble import Exit, Trouble
from portcall.installer import changes
from portcall.installer.asking import account_of, asking
from portcall.installer.bucket import Bucket
from portcall.installer.packaged import Packaged

MAY_BE_CHANGED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")


@click.command()
@click.option("--allow-downgrade", is_flag=True, help="Install even if the stack is newer than this command.")
@change_options
@target_options
def upgrade(
    given: tuple[Parameter, ...], bucket: str, yes: bool, allow_downgrade: bool, **options: Any
) -> None:
    """Update an installed Portcall to the version of this command, or change its parameters.

    Parameters that are not named keep their values. It shows what it will change and replace, and asks.
    """
    packaged = Packaged.load()
    target = choose(**options)
    account = account_of(target)
    say(account_line(target, account), style="dim")
    stack = _installed(target)
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    installed = outputs.get("Version", "")
    if order(installed) > order(packaged.version) and not allow_downgrade:
        raise Trouble(
            f"Portcall {installed} is installed, and this command is {packaged.version}. Use the newer one. "
            "To install the older version anyway: --allow-downgrade"
        )
    values = values_of(packaged, given)
    kept = [name for name in parameters_of(stack) if name in packaged.parameters]
    say(f"From {installed or 'an unnamed version'} to {packaged.version}. Parameters keep their values.")
    changed = run_change(
        target, packaged, Bucket.of(target, account, bucket), "UPDATE", changes.given(values, kept), yes=yes
    )
    if changed is not None:
        say(f"Portcall {changed.get('Version', packaged.version)} is installed. Running apps were not touched.")


def order(version: str) -> tuple[int, ...]:
    """A version as a tuple that can be compared."""
    return tuple(int(each) for each in re.findall(r"\d+", version))


def _installed(target: Target) -> dict[str, Any]:
    with asking(target):
        found = changes.describe(target, target.stack)
    what = f"stack {target.stack} in {target.region}"
    if found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS":
        raise Trouble(f"There is no {what}. Install it: portcall install", Exit.NOT_ALLOWED)
    if "LedgerTableName" not in {each["OutputKey"] for each in found.get("Outputs", [])}:
        raise Trouble(
            f"The {what} is {found['StackStatus']}, or is not an install of Portcall: it has no output "
            "LedgerTableName."
        )
    if found["StackStatus"] not in MAY_BE_CHANGED:
        raise Trouble(
            f"The {what} is {found['StackStatus']}. Wait until that has ended, or fix it in CloudFormation's "
            "console."
        )
    return found
