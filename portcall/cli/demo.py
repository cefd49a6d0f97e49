"""`portcall demo`: everything from the push to the mail, once, on this machine."""

import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import click

from localcloud.executions import follow
from localcloud.inbox import Received, read
from localcloud.machine.base_image import build_arguments, ensure_base_image
from localcloud.processes import CloudError, run
from localcloud.settings import PROJECT, CloudSettings
from portcall.cli.inbox import show
from portcall.cli.meanwhile import Meanwhile
from portcall.cli.progress import Progress
from portcall.cli.up import bring_up
from portcall.core.terminal import Terminal, done

EXAMPLE = PROJECT / "flask_app"
EXPECTED = {"": "Hello, World!", "greet": "Greetings from Flask!"}
MAIL_TIMEOUT = 30.0


@click.command()
def demo() -> None:
    """Start the cloud, push the example app, follow its deployment, read the mail, open the URL."""
    console = Terminal()
    base: list[Meanwhile[None]] = []

    def fetch_base(settings: CloudSettings) -> None:
        name = base_of(EXAMPLE / "Dockerfile")
        base.append(Meanwhile(lambda progress: ensure_base_image(name, settings.state_dir, progress)))

    # The cloud and the stack need no image, and a new machine gets its first one from a registry.
    settings = bring_up(console, with_docker=fetch_base)
    image = f"{settings.registry}/flask-app:latest"
    seen = {mail.id for mail in read(settings.inbox)}
    with Progress(console) as progress:
        progress("Looking for the example's base image")
        for each in base:
            each.result(progress)
        progress(f"docker build --tag {image} flask_app")
        # ECR sends no event of an image that is there. The label makes each run an image of its own.
        created = f"org.opencontainers.image.created={datetime.now(UTC).isoformat(timespec='milliseconds')}"
        options = [*build_arguments(settings.state_dir), "--label", created, "--quiet", "--tag", image]
        _docker(settings, "build", *options, str(EXAMPLE))
        progress(f"docker push {image}")
        pushed = time.time()
        _docker(settings, "push", "--quiet", image)
    console.print("\nThe push has started a deployment:")
    for state in follow(settings, since=pushed):
        console.print(done(state.ok), f"{state.name:<24} {state.seconds:5.1f} s")
    mail = _mail(settings, seen)
    console.print("\nThe email that came:\n")
    show(console, mail)
    if mail.attributes.get("outcome") != "deployed":
        raise CloudError("The deployment failed; the email above says why.")
    _visit(console, mail.text.splitlines()[0])
    console.print(
        "\nIt keeps running. Watch it in the browser:  .venv/bin/portcall console"
        "\nOr in the terminal:                    .venv/bin/portcall status, .venv/bin/portcall inbox"
        "\nStop it with:                          make down",
        soft_wrap=True,
    )


def base_of(dockerfile: Path) -> str:
    """The image that a Dockerfile begins FROM."""
    words = next(line.split() for line in dockerfile.read_text().splitlines() if line.startswith("FROM "))
    return words[1]


def _docker(settings: CloudSettings, *arguments: str) -> None:
    run(
        ["docker", *arguments],
        log=settings.logs / "docker.log",
        environment=settings.process_environment(),
        folder=PROJECT,
        failed=f"`docker {arguments[0]}` failed.",
    )


def _mail(settings: CloudSettings, seen: set[str]) -> Received:
    deadline = time.monotonic() + MAIL_TIMEOUT
    while time.monotonic() < deadline:
        fresh = [mail for mail in read(settings.inbox) if mail.id not in seen]
        if fresh:
            return fresh[-1]
        time.sleep(0.1)
    raise CloudError(
        f"No email came within {MAIL_TIMEOUT:.0f} seconds. The cloud's log: {settings.logs / 'cloud.log'}"
    )


def _visit(console: Terminal, url: str) -> None:
    for path, expected in EXPECTED.items():
        try:
            with urllib.request.urlopen(url + path, timeout=10) as answer:  # noqa: S310 - the URL of the mail
                said = answer.read().decode().strip()
        except (urllib.error.URLError, OSError) as error:
            raise CloudError(f"{url}{path} does not answer: {error}") from error
        console.print(f"GET {url}{path}  →  {said}", soft_wrap=True)
        if expected not in said:
            raise CloudError(f"{url}{path} should answer {expected!r}.")
