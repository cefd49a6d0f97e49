"""`portcall notify test`: sends a test email, and says who will get it."""

import json
from typing import Any

import click

from portcall.cli.acting import target_to_change
from portcall.cli.options import SCHEMA, say, target_options
from portcall.core.doctor.install import SUBSCRIBE
from portcall.core.operating import operate
from portcall.core.terminal import fail
from portcall.core.trouble import Exit


@click.group()
def notify() -> None:
    """Check the emails about deployments."""


@notify.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@target_options
def test(as_json: bool, **options: Any) -> None:
    """Send a test email to everybody who gets the emails about deployments.

    Exit code 1: nobody is subscribed, or nobody has confirmed.
    """
    target = target_to_change(options)
    answer = operate(target, action="notify")
    confirmed, pending = int(answer["confirmed"]), int(answer["pending"])
    code = Exit.YES if confirmed else Exit.NO
    if as_json:
        counts = {"confirmed": confirmed, "pending": pending, "message": answer["message"]}
        document = {"action": "notify", "outcome": "sent" if confirmed else "unheard", "exit_code": int(code)}
        click.echo(json.dumps({**SCHEMA, **document, **counts}))
    waits = (
        f" {_number(pending)} not confirmed yet: the first email from AWS has a link for that."
        if pending
        else ""
    )
    if confirmed:
        is_sent = f"A test email was sent to {_number(confirmed)}."
        say(f"{is_sent}{waits}{' See it: portcall inbox' if target.embedded else ''}")
        return
    nobody = "Nobody gets the emails: there is no confirmed subscription."
    subscribe = "" if pending else f" {SUBSCRIBE}"
    fail(f"{nobody}{waits}{subscribe}")
    raise click.exceptions.Exit(code)


def _number(subscriptions: int) -> str:
    return f"{subscriptions} subscription{'' if subscriptions == 1 else 's'}"
