"""`portcall uninstall`: removes the stack and all that it created, and checks whether anything is left."""

import sys
from typing import Any

import click

from portcall.cli.installing import account_line
from portcall.cli.options import say, target_options
from portcall.cli.stack_table import StackTable
from portcall.core.target import Target, choose
from portcall.core.trouble import Exit, Trouble
from portcall.installer import changes, leftovers
from portcall.installer.asking import account_of, asking
from portcall.installer.bucket import Bucket


@click.command()
@click.option("--confirm", default="", metavar="NAME", help="The stack's name, to confirm without a terminal.")
@click.option("--bucket", default="", metavar="NAME", help="The bucket that was given to `install`.")
@target_options
def uninstall(confirm: str, bucket: str, **options: Any) -> None:
    """Remove Portcall from an account, with its apps, their images and logs, and its repository.

    It asks for the stack's name as a confirmation. At the end it checks whether anything is left.
    """
    target = choose(**options)
    account = account_of(target)
    say(account_line(target, account), style="dim")
    with asking(target):
        found = changes.describe(target, target.stack)
    if found is None:
        raise Trouble(f"There is no stack {target.stack} in {target.region}.", Exit.NOT_ALLOWED)
    outputs = {each["OutputKey"] for each in found.get("Outputs", [])}
    if "LedgerTableName" not in outputs and found["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise Trouble(
            f"The stack {target.stack} is not an install of Portcall: it has no output LedgerTableName."
        )
    _confirm(target, confirm)
    stack_id = str(found["StackId"])
    _delete(target, stack_id)
    uploads = Bucket.of(target, account, bucket)
    with asking(target):
        if uploads.is_there():
            uploads.remove(target.stack)
            uploads.remove_if_empty()
        left = [*leftovers.of_stack(target, stack_id), *leftovers.left(target, uploads)]
    if left:
        raise Trouble("\n".join(["The stack is deleted, but this is left:", *(f"  {each}" for each in left)]))
    say("Portcall is removed. What is yours stays: secrets in Parameter Store, repositories that you created.")


def _confirm(target: Target, confirm: str) -> None:
    say("This stops all apps and deletes their images, logs, URLs and history. This cannot be undone.")
    if confirm:
        if confirm != target.stack:
            raise Trouble(f"--confirm {confirm} is not the name of the stack, {target.stack}.", Exit.USAGE)
        return
    if not sys.stdin.isatty():
        raise Trouble(
            "This command asks for confirmation, and there is no terminal. "
            f"To skip the question: --confirm {target.stack}",
            Exit.USAGE,
        )
    if (
        click.prompt(f"Type {target.stack} to continue", default="", show_default=False, err=True)
        != target.stack
    ):
        say("Nothing was changed.")
        raise click.exceptions.Exit(Exit.NO)


def _delete(target: Target, stack_id: str) -> None:
    with asking(target):
        seen = {each.id for each in changes.events(target, stack_id)}
        target.client("cloudformation", changes.PATIENT).delete_stack(StackName=stack_id)
        try:
            with StackTable("Removing") as table:
                status, known = changes.follow(target, stack_id, seen, table)
        except KeyboardInterrupt:
            say("Interrupted. CloudFormation continues.")
            raise click.exceptions.Exit(Exit.INTERRUPTED) from None
    if status != "DELETE_COMPLETE":
        reason = changes.first_reason(known) or f"the stack is {status}"
        raise Trouble(f"It could not be deleted. {reason}\nFix the cause, then run the command again.")
