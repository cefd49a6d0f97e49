"""`portcall rollback`: goes back to a version that was live, and pins the app to it."""

from typing import Any

import click

from portcall.cli.acting import acting_options, carry_through, confirm, target_to_change, waiting_options
from portcall.cli.options import complete_app
from portcall.core.operating import operate
from portcall.core.states import version


@click.command()
@click.argument("app", shell_complete=complete_app)
@click.argument("deployment", default="", metavar="[DEPLOYMENT]")
@waiting_options
@acting_options
def rollback(
    app: str,
    deployment: str,
    reason: str,
    yes: bool,
    no_wait: bool,
    timeout: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Go back to the last other version that was live, and stay there until a new image is pushed.

    DEPLOYMENT is the beginning of a deployment's id, or @ and the beginning of a digest. If the version that
    was left is pushed again, it is not deployed; `portcall resume` deploys it anyway.
    """
    target = target_to_change(options, reason)
    plan = operate(target, action="rollback", app=app, to=deployment, dry_run="yes", by="")
    old, new = version(plan["from_tag"], plan["from"]), version(plan["tag"], plan["digest"])
    confirm(f"Roll {app} back from {old} to {new}, and pin it?", yes=yes)
    words = {"action": "rollback", "app": app, "to": plan["digest"], "reason": reason}
    carry_through(
        target,
        words,
        said=f"Rolling {app} back from {old} to {new}.",
        no_wait=no_wait,
        timeout=timeout,
        as_json=as_json,
    )
