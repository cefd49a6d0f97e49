"""`portcall`: the embedded cloud on a laptop, and what happens in it."""

import sys

import click

from portcall.cli.demo import demo
from portcall.cli.deploy import deploy
from portcall.cli.down import down
from portcall.cli.env import env
from portcall.cli.inbox import inbox
from portcall.cli.status import status
from portcall.cli.terminal import fail
from portcall.cli.up import up
from portcall.cli.verify_aws import verify_aws
from portcall.local.docker_engine import EngineUnavailable
from portcall.local.processes import CloudError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="portcall")
def cli() -> None:
    """Push an image; its URL is in your inbox. Here, on this machine, without an AWS account."""


for command in (up, down, env, inbox, status, deploy, demo):
    cli.add_command(command)
cli.add_command(verify_aws)


def main() -> None:
    """Run the command line; what a person can mend is told in a sentence, not in a traceback."""
    try:
        cli(standalone_mode=True)
    except (CloudError, EngineUnavailable) as error:
        fail(str(error))
        sys.exit(1)
    except OSError as error:
        # A full disk, a folder that may not be written: whatever the file system says.
        place = f" ({error.filename})" if error.filename else ""
        fail(f"{error.strerror or error}{place}. Fix that, then run the command again.")
        sys.exit(1)
