"""`portcall env`: points boto3, the AWS CLI and SAM at the embedded cloud."""

import shlex

import click

from localcloud.processes import CloudError
from localcloud.settings import CloudSettings


@click.command()
def env() -> None:
    """Print `export` lines; use it as: eval "$(portcall env)"."""
    settings = CloudSettings.load()
    if not settings.secret:
        # The cloud creates the key when it starts.
        raise CloudError("The embedded cloud is not running. Start it: portcall up")
    for name, value in settings.environment().items():
        click.echo(f"export {name}={shlex.quote(value)}")
    # A profile or a session token in the user's environment would override the key.
    click.echo("unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN")
