"""`portcall deploy`: deploys once more what a tag points to."""

from typing import Any

import click

from portcall.cli.acting import target_to_change
from portcall.cli.options import complete_app, say, target_options
from portcall.desk.operating import operate


@click.command()
@click.argument("app", metavar="APP[:TAG]", shell_complete=complete_app)
@click.option("-m", "--reason", metavar="TEXT", default="", help="Why: kept, and shown with your name.")
@target_options
def deploy(app: str, reason: str, **options: Any) -> None:
    """Deploy once more what a tag points to: a push of the same image starts nothing."""
    target = target_to_change(options, reason)
    name, _, tag = app.partition(":")
    answer = operate(target, action="deploy", app=name, tag=tag, reason=reason)
    say(
        f"Deploying {name}:{answer['tag']}, {answer['digest']}. Follow it: portcall show {answer['deployment']}"
    )
