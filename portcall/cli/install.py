"""`portcall install`: installs the stack in an account; needs only credentials."""

import sys
import time
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
from portcall.core.terminal import Terminal, done
from portcall.core.trouble import Exit, Trouble
from portcall.installer import changes
from portcall.installer.asking import account_of, asking
from portcall.installer.bucket import Bucket
from portcall.installer.packaged import Packaged

CONFIRMED_WITHIN = 600.0
COSTS = (
    "Idle, it costs three to eleven cents a month. "
    "The smallest app costs 13 USD a month, which Fargate charges."
)
# States from which CloudFormation allows no update.
BROKEN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")


@click.command()
@click.option("--email", metavar="ADDRESS", help="The address for the emails; '' for no emails.")
@change_options
@target_options
def install(email: str | None, given: tuple[Parameter, ...], bucket: str, yes: bool, **options: Any) -> None:
    """Install Portcall in an AWS account: no SAM, no Docker and no clone are needed.

    It shows what it will create, and asks. Parameters are those of the template: --set StableUrl=on
    """
    packaged = Packaged.load()
    target = choose(**options)
    account = account_of(target)
    say(account_line(target, account), style="dim")
    _require_none(target)
    values = values_of(packaged, given)
    if email is not None:
        values["Email"] = email
    elif "Email" not in values and sys.stdin.isatty() and not yes:
        values["Email"] = click.prompt(
            "Which address should get the emails? (empty: none)", default="", err=True
        )
    say(f"Portcall {packaged.version}. {COSTS}")
    outputs = run_change(
        target, packaged, Bucket.of(target, account, bucket), "CREATE", changes.given(values, []), yes=yes
    )
    if outputs is None:
        return
    _say_what_is_next(outputs, values.get("Email", ""))
    if values.get("Email") and sys.stdin.isatty() and sys.stderr.isatty() and not yes:
        _await_confirmation(target, outputs["TopicArn"])


def _require_none(target: Target) -> None:
    """Raise Trouble if a stack of that name exists, or its remains."""
    with asking(target):
        found = changes.describe(target, target.stack)
    status = found["StackStatus"] if found else "REVIEW_IN_PROGRESS"
    if status == "REVIEW_IN_PROGRESS":
        return
    what = f"The stack {target.stack} in {target.region}"
    if status in BROKEN:
        raise Trouble(
            f"{what} is {status}: its creation or update failed, and it can only be deleted. "
            f"Delete it: portcall uninstall --stack {target.stack}. Then install again."
        )
    if status.endswith("_IN_PROGRESS"):
        raise Trouble(f"{what} is {status}. Wait until that has ended.")
    outputs = {each["OutputKey"]: each["OutputValue"] for each in (found or {}).get("Outputs", [])}
    if parameters_of(found or {}).keys() >= {"Email", "RepositoryName"} and "LedgerTableName" in outputs:
        raise Trouble(
            f"{what} is Portcall {outputs.get('Version', '')} already. To bring it to this version or change "
            "its parameters: portcall upgrade. To install a second one, choose another name: --stack NAME"
        )
    raise Trouble(f"{what} exists and is not an install of Portcall. Choose another name: --stack NAME")


def _say_what_is_next(outputs: dict[str, str], email: str) -> None:
    say("Portcall is installed. Build an image with the name in the second command, then run these three:")
    for name in ("Step1Login", "Step2Tag", "Step3Push"):
        click.echo(outputs[name])
    if email:
        say(f"AWS has sent an email to {email}. Click the link in it; you get no other emails before that.")
    else:
        say(
            "No emails are sent, because there is no address. To set one: portcall upgrade --set "
            "Email=you@example.com"
        )


def _await_confirmation(target: Target, topic: str) -> None:
    """Wait until the subscription is confirmed or the user continues."""
    console, deadline = Terminal(stderr=True), time.monotonic() + CONFIRMED_WITHIN
    try:
        with console.status("Waiting until you click the link; press Ctrl-C to continue without it ..."):
            while time.monotonic() < deadline:
                with asking(target):
                    found = target.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
                if found and all(each["SubscriptionArn"].startswith("arn:") for each in found):
                    console.print(done(), "The address is confirmed.")
                    return
                time.sleep(3)
    except KeyboardInterrupt:
        say("The address is not confirmed yet.")
        raise click.exceptions.Exit(Exit.YES) from None
