"""`portcall deploy`: deploys once more what a tag points to."""

import json

import click

from localcloud import cloud
from localcloud.processes import CloudError
from localcloud.settings import CloudSettings
from localcloud.stack import client, outputs


@click.command()
@click.argument("app", metavar="APP[:TAG]")
def deploy(app: str) -> None:
    """Deploy once more what a tag points to: a push of the same image starts nothing."""
    settings = CloudSettings.load()
    if not cloud.is_up(settings):
        raise CloudError("The embedded cloud is not running. Start it: portcall up")
    name, _, tag = app.partition(":")
    answer = client(settings, "lambda").invoke(
        FunctionName=outputs(settings)["OperateFunctionName"],
        Payload=json.dumps({"action": "deploy", "app": name, "tag": tag}).encode(),
    )
    result = json.loads(answer["Payload"].read())
    if result.get("status") != "started":
        raise CloudError(str(result.get("reason") or result.get("errorMessage") or result))
    click.echo(f"Deploying {name}:{result['tag']}, {result['digest']}. The mail of it comes to: portcall inbox")
