"""`portcall up`: starts the embedded cloud on loopback and installs the stack into it."""

import dataclasses
import signal
import time
from collections.abc import Callable
from types import FrameType

import click
from rich.text import Text

from localcloud import cloud, stack
from localcloud.inbox import read
from localcloud.machine.docker_engine import ensure_engine
from localcloud.processes import CloudError
from localcloud.settings import CloudSettings, require_repository
from portcall.cli.down import take_down
from portcall.cli.progress import Progress
from portcall.core.terminal import Terminal


@click.command()
@click.option("--detach", "-d", is_flag=True, help="Return when it has started, and leave it running.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port.  [default: 4566]")
@click.option("--account", help="Its AWS account id, 12 digits.  [default: 123456789012]")
def up(detach: bool, port: int | None, account: str | None) -> None:
    """Start the embedded cloud and install the stack. Safe to repeat."""
    console = Terminal()
    if account is not None and not (account.isascii() and account.isdigit() and len(account) == 12):
        raise click.BadParameter("an AWS account id has 12 digits.", param_hint="--account")
    settings = bring_up(console, port=port, account=account)
    console.print(
        f"\nThe embedded cloud runs at {settings.endpoint}. Push any image to it, no login needed:\n\n"
        f"  docker tag my-app {settings.registry}/flask-app:latest\n"
        f"  docker push {settings.registry}/flask-app:latest\n"
        f"  portcall inbox\n\n"
        f'Point the AWS CLI, boto3 and SAM at it with:  eval "$(portcall env)"',
    )
    if detach:
        console.print("Stop it with:  portcall down")
    else:
        _stay(console, settings)


def bring_up(
    console: Terminal,
    *,
    port: int | None = None,
    account: str | None = None,
    with_docker: Callable[[CloudSettings], None] = lambda _: None,
) -> CloudSettings:
    """Start the cloud and install the stack; used by `up` and `demo`.

    `with_docker` is called as soon as Docker runs.
    """
    require_repository()
    noted = CloudSettings.load()
    wanted = dataclasses.replace(noted, port=port or noted.port, account=account or noted.account)
    with Progress(console) as progress:
        progress("Looking for a Docker engine")
        ensure_engine(wanted.state_dir, progress)
        with_docker(wanted)
        if cloud.is_up(noted):
            if wanted != noted:
                raise CloudError(
                    f"An embedded cloud already runs at {noted.endpoint} with account {noted.account}. "
                    f"Stop it first: portcall down"
                )
            if stack.is_broken(noted):
                progress("Deleting the state of an install that was interrupted")
                cloud.stop(noted)
        if not cloud.is_up(wanted):
            cloud.start(wanted, progress)
        stack.install(wanted, progress)
    return wanted


def _stay(console: Terminal, settings: CloudSettings) -> None:
    """Print each mail's subject until Ctrl-C, then stop everything."""
    console.print("It runs until you press Ctrl-C.")

    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
    seen = {mail.id for mail in read(settings.inbox)}
    try:
        while cloud.is_up(settings):
            for mail in read(settings.inbox):
                if mail.id not in seen:
                    seen.add(mail.id)
                    console.print(Text("✉", style="bold"), mail.subject)
            time.sleep(1)
        console.print(
            "The embedded cloud has stopped unexpectedly. Its log is in", str(settings.logs / "cloud.log")
        )
    except KeyboardInterrupt:
        console.print()
    finally:
        take_down(console, settings)
