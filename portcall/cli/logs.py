"""`portcall logs`: shows an app's log."""

import json
import time
from typing import Any

import click
from rich.text import Text

from portcall.cli.layout import cell
from portcall.cli.options import SCHEMA, complete_app, say, target_of, target_options
from portcall.core import reading
from portcall.core.terminal import Terminal
from portcall.core.trouble import Exit, Trouble

# Seconds between two reads of the log, and reads between two checks for a newer version.
LOOK_EVERY = 2.0
LOOKS_A_VERSION = 3


@click.command()
@click.argument("app", shell_complete=complete_app)
@click.option("-f", "--follow", is_flag=True, help="Follow the log until Ctrl-C, across newer versions.")
@click.option(
    "-n", "lines", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The last N lines."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document for each line.")
@target_options
def logs(app: str, follow: bool, lines: int, as_json: bool, **options: Any) -> None:
    """Show an app's log: that of the last push if it failed, otherwise that of the running version.

    The first line says which one it is.
    """
    target = target_of(options, quiet=as_json)
    status = reading.app_status(target, app)
    task, name = reading.log_source(status)
    if not task:
        raise Trouble(f"No task of {app} was started, so there is no log. More: portcall show {app}", Exit.NO)
    _head(name)
    if not follow:
        _show(reading.last_lines(target, app, task, lines), name, as_json=as_json)
        return
    token, look, busy = "", 0, False
    try:
        while True:
            try:
                found, token = reading.newer_lines(target, app, task, token, lines)
                _show(found, name, as_json=as_json)
                look += 1
                if look % LOOKS_A_VERSION == 0:
                    newest = reading.log_source(reading.app_status(target, app))
                    if newest[0] not in ("", task):
                        # First print what the previous version logged last.
                        _show(reading.newer_lines(target, app, task, token, lines)[0], name, as_json=as_json)
                        (task, name), token = newest, ""
                        _head(name)
                busy = False
            except Trouble as trouble:
                # Throttled, or no connection: nothing is lost, because the token says where to continue.
                if trouble.exit_code != Exit.NOT_KNOWN:
                    raise
                if not busy:
                    say(trouble.message, style="dim")
                busy = True
            time.sleep(LOOK_EVERY)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(Exit.INTERRUPTED) from None


def _head(name: str) -> None:
    say(Text("── ", style="dim") + cell(name, "dim") + Text(" ──", style="dim"))


def _show(lines: list[str], name: str, *, as_json: bool) -> None:
    console = Terminal()
    for line in lines:
        if as_json:
            click.echo(json.dumps({**SCHEMA, "version": name, "message": line}))
        else:
            console.print(cell(line), soft_wrap=True)
