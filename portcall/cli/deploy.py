"""`portcall deploy`: deploys once more what a tag points to."""

import json
from typing import Any

import click

from portcall.cli.options import say, target_of, target_options
from portcall.desk.trouble import Trouble


@click.command()
@click.argument("app", metavar="APP[:TAG]")
@target_options
def deploy(app: str, **options: Any) -> None:
    """Deploy once more what a tag points to: a push of the same image starts nothing."""
    target = target_of(options)
    name, _, tag = app.partition(":")
    payload = json.dumps({"action": "deploy", "app": name, "tag": tag}).encode()
    answer = target.ask(
        lambda outputs: json.loads(
            target.client("lambda")
            .invoke(FunctionName=outputs["OperateFunctionName"], Payload=payload)["Payload"]
            .read()
        )
    )
    if answer.get("status") != "started":
        raise Trouble(str(answer.get("reason") or answer.get("errorMessage") or answer))
    say(
        f"Deploying {name}:{answer['tag']}, {answer['digest']}. Follow it: portcall show {answer['deployment']}"
    )
