"""`portcall console`: the page, in the browser."""

import errno
import threading
from typing import Any

import click

from portcall.cli.options import say, target_options
from portcall.console.server import serving
from portcall.console.source import Source
from portcall.core.trouble import Exit, Trouble


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port.  [default: any]")
@click.option("--no-open", is_flag=True, help="Only print the link.")
@click.option("--read-only", is_flag=True, help="Only show apps; do not change them.")
@target_options
def console(port: int, no_open: bool, read_only: bool, **options: Any) -> None:
    """Serve a page that shows all apps live, explains failures, and can roll back; until Ctrl-C."""
    source = Source(options)
    source.ask(lambda target: target)
    say(source.name, style="dim")
    try:
        with serving(source, port=port, read_only=read_only, next_link=_for_another) as door:
            click.echo(door.link)
            say("The link works in one browser only. Ctrl-C stops the page.", style="dim")
            if not no_open and click.launch(door.link) != 0:
                say("No browser could be opened. Open the link yourself.")
            threading.Event().wait()
    except KeyboardInterrupt:
        raise click.exceptions.Exit(Exit.INTERRUPTED) from None
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise Trouble(
            f"Port {port} is in use by another program. Choose another port, or leave --port out."
        ) from error


def _for_another(link: str) -> None:
    say(f"For another browser: {link}", style="dim")
