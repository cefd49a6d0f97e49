"""`portcall end`: ends an app for good."""

from typing import Any

import click

from portcall.cli.acting import (
    acting_options,
    confirm,
    confirm_by_name,
    finish,
    target_to_change,
    which_answers,
)
from portcall.cli.options import complete_app, say
from portcall.core.operating import operate


@click.command()
@click.argument("app", shell_complete=complete_app)
@click.option(
    "--confirm",
    "typed",
    metavar="APP",
    default="",
    help="The name of the app, to confirm; not needed for a preview.",
)
@acting_options
def end(app: str, typed: str, reason: str, yes: bool, as_json: bool, **options: Any) -> None:
    """End an app: remove its task, URL and slot until the next push.

    If the app is not a preview, you type its name to confirm.
    """
    target = target_to_change(options, reason)
    plan = operate(target, action="end", app=app, dry_run="yes", by="")
    what = f"End {app}{which_answers(plan['url'])}?"
    if plan["preview"]:
        confirm(what, yes=yes)
    else:
        confirm_by_name(app, f"{what} It is not a preview.", typed)
    answer = operate(target, action="end", app=app, reason=reason, confirm=app)
    document = {"action": "end", **answer, "outcome": "ended", "url": "", "reason": reason, "exit_code": 0}
    finish(document, as_json=as_json)
    say(f"{app} has ended.")
