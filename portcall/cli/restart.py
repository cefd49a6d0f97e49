"""`portcall restart`: runs the same version as a new task."""

from typing import Any

import click

from portcall.cli.acting import acting_options, carry_through, target_to_change, waiting_options
from portcall.cli.options import complete_app


@click.command()
@click.argument("app", shell_complete=complete_app)
@waiting_options
@acting_options
def restart(
    app: str, reason: str, yes: bool, no_wait: bool, timeout: int, as_json: bool, **options: Any
) -> None:
    """Run the same revision as a new task; the old one is stopped once the new one answers."""
    del yes  # it never asks, so `--yes` has no effect
    target = target_to_change(options, reason)
    carry_through(
        target,
        {"action": "restart", "app": app, "reason": reason},
        said=f"Restarting {app}.",
        no_wait=no_wait,
        timeout=timeout,
        as_json=as_json,
    )
