"""`portcall deploy`: deploys the image of a tag again."""

from typing import Any

import click

from portcall.cli.acting import acting_options, carry_through, target_to_change, waiting_options
from portcall.cli.options import complete_app


@click.command()
@click.argument("app", metavar="APP[:TAG]", shell_complete=complete_app)
@waiting_options
@acting_options
def deploy(
    app: str, reason: str, yes: bool, no_wait: bool, timeout: int, as_json: bool, **options: Any
) -> None:
    """Deploy the image of a tag again: pushing the same image again starts nothing."""
    del yes  # it never asks, so `--yes` has no effect
    target = target_to_change(options, reason)
    name, _, tag = app.partition(":")
    carry_through(
        target,
        {"action": "deploy", "app": name, "tag": tag, "reason": reason},
        said=f"Deploying {app}.",
        no_wait=no_wait,
        timeout=timeout,
        as_json=as_json,
    )
