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
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where it listens.  [default: any]")
@click.option("--no-open", is_flag=True, help="Only print the link.")
@click.option("--read-only", is_flag=True, help="Show, and do nothing.")
@target_options
def console(port: int, no_open: bool, read_only: bool, **options: Any) -> None:
    """Serve a page that shows all apps live, explains failures, and can roll back; until Ctrl-C."""
    source = Source(options)
    source.ask(lambda target: target)
    say(source.name, style="dim")
    try:
        with serving(source, port=port, read_only=read_only, next_link=_for_another) as door:
            click.echo(door.link)
            say("The link is good for one browser. Ctrl-C ends the page.", style="dim")
            if not no_open and click.launch(door.link) != 0:
                say("No browser could be opened: open the link yourself.")
            threading.Event().wait()
    except KeyboardInterrupt:
        raise click.exceptions.Exit(Exit.INTERRUPTED) from None
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise Trouble(f"Port {port} is taken by another program. Choose another one, or none.") from error


def _for_another(link: str) -> None:
    say(f"For another browser: {link}", style="dim")
