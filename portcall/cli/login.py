"""`portcall login`: logs Docker in to the registry for twelve hours."""

import base64
import subprocess
from typing import Any

import click

from portcall.cli.options import say, target_of, target_options
from portcall.core.trouble import Exit, Trouble

WITHIN_SECONDS = 60


@click.command()
@click.option(
    "--docker",
    "program",
    default="docker",
    show_default=True,
    help="The program to log in, e.g. podman or nerdctl.",
)
@target_options
def login(program: str, **options: Any) -> None:
    """Log Docker in to your registry, for twelve hours.

    The password goes from AWS to Docker's standard input, so it is on no command line.
    """
    target = target_of(options)
    if target.embedded:
        say("The embedded cloud's registry takes pushes without a login.")
        return
    answer = target.ask(lambda _: target.client("ecr").get_authorization_token())
    (data,) = answer["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    registry = str(data["proxyEndpoint"]).removeprefix("https://")
    command = [program, "login", "--username", user, "--password-stdin", registry]
    try:
        ended = subprocess.run(command, input=password, capture_output=True, text=True, timeout=WITHIN_SECONDS)
    except FileNotFoundError:
        raise Trouble(
            f"There is no {program} on this machine. Install it, or name another with --docker."
        ) from None
    except subprocess.TimeoutExpired:
        raise Trouble(
            f"{program} did not answer within {WITHIN_SECONDS} s. Is it running?", Exit.NOT_KNOWN
        ) from None
    if ended.returncode != 0:
        raise Trouble(f"{program} could not log in to {registry}: {ended.stderr.strip()}")
    until = f"{data['expiresAt']:%Y-%m-%d %H:%M %Z}"
    say(f"Logged in to {registry} until {until}. Push: docker push {registry}/REPOSITORY:TAG")
