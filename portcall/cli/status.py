"""`portcall status`: what runs, and where it answers."""

import dataclasses
import json

import click
from rich.table import Table

from localcloud import cloud
from localcloud.apps import running
from localcloud.processes import CloudError
from localcloud.settings import CloudSettings
from portcall.cli.terminal import Terminal


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A list of apps, for programs.")
def status(as_json: bool) -> None:
    """List the running apps."""
    settings = CloudSettings.load()
    if not cloud.is_up(settings):
        # Asked at once: boto3 would try for ten seconds before it gives up.
        raise CloudError("The embedded cloud is not running. Start it: portcall up")
    apps = running(settings)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(app) for app in apps], indent=2))
        return
    console = Terminal()
    if not console.is_terminal:
        # In a file or a pipe there is no edge to break lines at.
        console = Terminal(width=200)
    if not apps:
        console.print("Nothing runs. Push an image, and it will.")
        return
    table = Table("App", box=None)
    # Of a URL that is cut short nobody has anything, however narrow the terminal is.
    table.add_column("URL", no_wrap=True)
    for name in ("Tag", "Digest", "State", "Since"):
        table.add_column(name)
    for app in apps:
        table.add_row(app.app, app.url, app.tag, app.digest[7:19], app.state, app.since[:19].replace("T", " "))
    console.print(table)
