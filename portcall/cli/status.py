"""`portcall status`: shows the state and the URL of each app."""

import json
import time
from collections import Counter
from typing import Any, NoReturn

import click
from rich.text import Text

from portcall.cli.layout import Row, age, cell, show_table, span, state
from portcall.cli.options import SCHEMA, complete_app, say, target_of, target_options
from portcall.core import reading
from portcall.core.price import of_current
from portcall.core.states import AppStatus, app_document, version
from portcall.core.target import Target
from portcall.core.terminal import Terminal
from portcall.core.trouble import Exit, Trouble


@click.command()
@click.argument("app", required=False, metavar="[APP]", shell_complete=complete_app)
@click.option("--exit-code", is_flag=True, help="Exit with 1 unless every app shown is live.")
@click.option(
    "--watch",
    type=click.FloatRange(min=1),
    is_flag=False,
    flag_value=5.0,
    metavar="[=SECONDS]",
    help="Refresh every 5 seconds, or as many as given, until Ctrl-C.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@target_options
def status(app: str | None, exit_code: bool, watch: float | None, as_json: bool, **options: Any) -> None:
    """Show the state and the URL of all apps, or of one."""
    target = target_of(options, quiet=as_json)
    if watch:
        _watch(target, app, watch, as_json=as_json)
    apps = _apps(target, app)
    _show(apps, app, as_json=as_json)
    if exit_code and any(each.state != "live" for each in apps):
        raise click.exceptions.Exit(Exit.NO)


def _apps(target: Target, app: str | None) -> list[AppStatus]:
    if app:
        return [reading.app_status(target, app)]
    apps = reading.all_apps(target)
    target.remember_apps([each.app for each in apps])
    return apps


def _watch(target: Target, app: str | None, seconds: float, *, as_json: bool) -> NoReturn:
    """On a terminal, redraw the table each time; elsewhere, print it if something has changed."""
    before: object = None
    try:
        while True:
            try:
                apps = _apps(target, app)
                document = [app_document(each) for each in apps]
                if as_json and document != before:
                    click.echo(json.dumps({**SCHEMA, "apps": document}))
                elif not as_json and Terminal().is_terminal:
                    click.clear()
                    _show(apps, app, as_json=False)
                elif document != before:
                    say(time.strftime("%H:%M:%S"), style="dim")
                    _show(apps, app, as_json=False)
                before = document
            except Trouble as trouble:
                # Throttled, or no connection: the next read may succeed.
                if trouble.exit_code != Exit.NOT_KNOWN:
                    raise
                say(trouble.message, style="dim")
            time.sleep(seconds)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(Exit.INTERRUPTED) from None


def _show(apps: list[AppStatus], app: str | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**SCHEMA, "apps": [app_document(each) for each in apps]}, indent=2))
    elif app:
        _card(apps[0])
    elif apps:
        show_table(Terminal(), ("APP", "STATE", "VERSION", "SINCE", "URL"), [_row(each) for each in apps])
        _sum_up(apps)
    else:
        say("There are no apps yet. Push an image to create one.")


def _row(status: AppStatus) -> Row:
    since, url = cell(age(status.since)), cell(status.url)
    return Row(
        [cell(status.app), state(status.state), cell(_version(status)), since, url],
        " ".join(filter(None, [status.note, _end(status)])),
    )


def _version(status: AppStatus) -> str:
    return version(status.shown.tag, status.shown.digest) if status.shown else ""


def _end(status: AppStatus) -> str:
    until = status.serving.until if status.serving else 0
    return f"Ends in {span(until - time.time())}." if until else ""


def _sum_up(apps: list[AppStatus]) -> None:
    counts = Counter(each.state for each in apps)
    said = ", ".join(f"{number} {word}" for word, number in counts.most_common())
    look = next((each.app for each in apps if each.state in ("failed", "down")), "")
    more = f"  Why: portcall show {look}" if look else ""
    say(f"{len(apps)} {'app' if len(apps) == 1 else 'apps'}: {said}.{more}", style="dim")


def _card(status: AppStatus) -> None:
    console, serving, latest = Terminal(), status.serving, status.latest
    console.print(cell(status.app, "bold"), state(status.state), soft_wrap=True)
    facts = [("URL", status.url)]
    if serving:
        if serving.direct_url not in ("", serving.url):
            facts.append(("Task URL", serving.direct_url))
        facts.append(("Serves", f"{version(serving.tag, serving.digest)}, since {serving.since}"))
        facts.append(("Digest", serving.digest))
    if price := of_current(serving):
        facts.append(("Price", price.said))
    if latest and (serving is None or latest.deployment != serving.deployment):
        outcome = latest.outcome or "in progress"
        facts.append(("Last push", f"{version(latest.tag, latest.digest)}, {outcome}, {latest.time}"))
    facts += [("Note", status.note), ("Ends", _end(status).removeprefix("Ends ").rstrip("."))]
    for name, value in facts:
        if value:
            console.print(Text(f"  {name + ':':<11}", style="dim") + cell(value), soft_wrap=True)
    command = "show" if status.state in ("failed", "down") else "history"
    say(f"More: portcall {command} {status.app}", style="dim")
