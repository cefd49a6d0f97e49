"""`portcall down`: stops the embedded cloud with all its processes and containers."""

import click

from localcloud import cloud
from localcloud.machine.docker_engine import stop_engine
from localcloud.settings import CloudSettings
from portcall.cli.progress import Progress
from portcall.core.terminal import Terminal


@click.command()
def down() -> None:
    """Stop the embedded cloud with everything that runs in it. The mails stay."""
    take_down(Terminal(), CloudSettings.load())


def take_down(console: Terminal, settings: CloudSettings) -> None:
    """Stop the cloud, its containers, and the Docker engine if `up` started it."""
    with Progress(console) as progress:
        progress("Stopping the embedded cloud and the apps in it")
        stopped = cloud.stop(settings)
        stop_engine(settings.state_dir, progress)
    if not stopped:
        console.print("It was not running.")
