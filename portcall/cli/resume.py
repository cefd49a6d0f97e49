"""`portcall resume`: ends a rollback and deploys the newest push."""

from typing import Any

import click

from portcall.cli.acting import acting_options, carry_through, confirm, target_to_change, waiting_options
from portcall.cli.options import complete_app
from portcall.core.operating import operate
from portcall.core.states import version


@click.command()
@click.argument("app", shell_complete=complete_app)
@waiting_options
@acting_options
def resume(
    app: str, reason: str, yes: bool, no_wait: bool, timeout: int, as_json: bool, **options: Any
) -> None:
    """End a rollback, and deploy what the tag of the newest push points to."""
    target = target_to_change(options, reason)
    plan = operate(target, action="resume", app=app, dry_run="yes", by="")
    what = version(plan["tag"], plan["digest"])
    confirm(f"Unpin {app} and deploy {what}?", yes=yes)
    carry_through(
        target,
        {"action": "resume", "app": app, "reason": reason},
        said=f"Deploying {app}: {what}.",
        no_wait=no_wait,
        timeout=timeout,
        as_json=as_json,
    )
