"""`portcall open`: opens an app in the browser."""

from typing import Any

import click

from portcall.cli.options import complete_app, say, target_of, target_options
from portcall.core import reading
from portcall.core.trouble import Exit, Trouble


@click.command()
@click.argument("app", shell_complete=complete_app)
@click.argument("path", default="")
@click.option("--print", "only_print", is_flag=True, help="Only print the URL.")
@target_options
def open(app: str, path: str, only_print: bool, **options: Any) -> None:
    """Open an app in the browser, at a path if one is named; the URL is on standard output."""
    status = reading.app_status(target_of(options), app)
    if status.serving and status.serving.is_worker:
        raise Trouble(f"{app} is running, and has no URL: it listens on no port.", Exit.NO)
    if not status.url:
        raise Trouble(f"{app} is {status.state}: {status.note} More: portcall show {app}", Exit.NO)
    url = status.url + path.lstrip("/")
    click.echo(url)
    # A browser cannot open plain TCP.
    if not only_print and url.startswith(("http://", "https://")) and click.launch(url) != 0:
        say("No browser could be opened.")
