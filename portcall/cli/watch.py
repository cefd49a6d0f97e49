"""`portcall watch`: shows the deployments in progress, live."""

import json
import time
from typing import Any

import click
from rich.live import Live
from rich.text import Text

from portcall.cli.layout import age, cell, span, state
from portcall.cli.options import SCHEMA, say, target_of, target_options
from portcall.core.execution import SAID
from portcall.core.following import Follower, Sight
from portcall.core.states import version
from portcall.core.terminal import Terminal
from portcall.core.trouble import Exit, Trouble

LOOK_EVERY = 2.0
# Seconds between two reads if AWS throttles.
PAUSE = 10.0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document for each change.")
@target_options
def watch(as_json: bool, **options: Any) -> None:
    """Show the deployments in progress, live, until Ctrl-C: each step, and the outcome.

    In a file or a pipe it is a line for each change.
    """
    follower = Follower(target_of(options, quiet=as_json))
    console = Terminal()
    try:
        if as_json:
            _follow(follower, lambda _, changed: _write_json(changed))
        elif console.is_terminal:
            with Live(console=console, transient=True, auto_refresh=False) as live:
                _follow(follower, lambda sights, changed: _draw(live, sights, changed))
        else:
            _follow(follower, lambda _, changed: _report(console, changed))
    except KeyboardInterrupt:
        raise click.exceptions.Exit(Exit.INTERRUPTED) from None


def _follow(follower: Follower, show: Any) -> None:
    busy = False
    while True:
        try:
            show(*follower.look())
            busy = False
        except Trouble as trouble:
            # Throttled, or no connection: the deployments continue.
            if trouble.exit_code != Exit.NOT_KNOWN:
                raise
            if not busy:
                say(trouble.message, style="dim")
            busy = True
        time.sleep(PAUSE if busy else LOOK_EVERY)


def _report(console: Terminal, changed: list[Sight]) -> None:
    for each in changed:
        console.print(_line(each), soft_wrap=True)


def _write_json(changed: list[Sight]) -> None:
    for each in changed:
        click.echo(json.dumps({**SCHEMA, **each.document(time.time())}))


def _draw(live: Live, sights: list[Sight], changed: list[Sight]) -> None:
    for each in changed:
        if not each.deployment.to_come:
            live.console.print(_line(each), soft_wrap=True)
    lines = [_row(each) for each in sights] or [
        Text("No deployment is in progress. Push an image.", style="dim")
    ]
    live.update(Text("\n").join(lines), refresh=True)


def _row(sight: Sight) -> Text:
    known = sight.deployment
    serves = f"  {sight.serves} serves" if sight.serves else ""
    parts = [cell(sight.app, "bold"), state(sight.state), cell(version(known.tag, known.digest))]
    step = SAID.get(sight.step, sight.step) or "in progress"
    return Text("  ").join([*parts, cell(step), cell(age(known.began_at))]) + cell(serves, "dim")


def _line(sight: Sight) -> Text:
    """A change, as a line with the time."""
    known = sight.deployment
    said = [Text(time.strftime("%H:%M:%S"), style="dim"), cell(sight.app, "bold"), state(sight.state)]
    said.append(cell(version(known.tag, known.digest)))
    if known.to_come:
        said.append(cell(SAID.get(sight.step, sight.step)))
    else:
        took = span(known.ended_at - known.began_at) if known.began_at and known.ended_at else ""
        said += [cell(known.url or known.reason.partition("\n")[0]), cell(took, "dim")]
    return Text("  ").join(part for part in said if part.plain)
