"""`portcall deploy`: deploys once more what a tag points to."""

from typing import Any

import click

from portcall.cli.options import say, target_of, target_options
from portcall.desk.operating import operate


@click.command()
@click.argument("app", metavar="APP[:TAG]")
@target_options
def deploy(app: str, **options: Any) -> None:
    """Deploy once more what a tag points to: a push of the same image starts nothing."""
    target = target_of(options)
    name, _, tag = app.partition(":")
    answer = operate(target, action="deploy", app=name, tag=tag)
    say(
        f"Deploying {name}:{answer['tag']}, {answer['digest']}. Follow it: portcall show {answer['deployment']}"
    )
