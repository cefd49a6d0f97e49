"""`portcall history`: an app's deployments."""

import json
from dataclasses import asdict
from typing import Any

import click
from deployer.domain import holds
from deployer.domain.app_status import answers
from deployer.domain.deployment import Current

from portcall.cli.layout import Row, cell, show_table, state
from portcall.cli.options import SCHEMA, complete_app, say, target_of, target_options
from portcall.core import reading
from portcall.core.reading import AppHistory
from portcall.core.states import deployment_document, pinned, serving_document, version, who_asked
from portcall.core.terminal import Terminal


@click.command()
@click.argument("app", shell_complete=complete_app)
@click.option("-n", "most", type=click.IntRange(min=1), default=20, show_default=True, help="Only the last N.")
@click.option("--all", "everything", is_flag=True, help="All deployments, which are kept for 90 days.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@target_options
def history(app: str, most: int, everything: bool, as_json: bool, **options: Any) -> None:
    """An app's deployments, newest first; the one that serves is marked."""
    target = target_of(options, quiet=as_json)
    found = reading.history(target, app, reading.ALL if everything else most)
    stops = reading.stops(target, app)
    if as_json:
        document = {
            "app": found.app,
            "serving": serving_document(found.current) if _serves(found) and found.current else None,
            "deployments": [deployment_document(each) for each in found.deployments],
            "pin": asdict(found.current.pin) if found.current and found.current.pin else None,
            "stop": asdict(found.current.stop) if found.current and found.current.stop else None,
            "stops": stops,
        }
        click.echo(json.dumps({**SCHEMA, **document}, indent=2))
        return
    _say_what_holds(found.current)
    show_table(Terminal(), ("", "TIME", "OUTCOME", "VERSION", "TOOK", "DEPLOYMENT"), _rows(found, stops))
    if len(found.deployments) == most and not everything:
        say(f"These are the last {most}. To see all: portcall history {app} --all", style="dim")


def _say_what_holds(current: Current | None) -> None:
    if current and current.pin:
        Terminal().print(pinned(current.pin), soft_wrap=True)
    if current and current.stop:
        Terminal().print(f"Stopped{holds.said_by(current.stop)}", soft_wrap=True)


def _serves(found: AppHistory) -> bool:
    return bool(found.current and answers(found.current))


def _rows(found: AppHistory, stops: list[dict[str, str]]) -> list[Row]:
    """The deployments, and between them the stops by operators."""
    oldest = found.deployments[-1].time if found.deployments else ""
    rows = [(each["at"], _stop(each)) for each in stops if each["at"] >= oldest]
    rows += [(each.time, row) for each, row in zip(found.deployments, _deployments(found), strict=True)]
    return [row for _, row in sorted(rows, key=lambda each: each[0][:19], reverse=True)]


def _stop(stop: dict[str, str]) -> Row:
    cells = ["", stop["at"][:19].replace("T", " "), "", "", "", ""]
    shown = [state("stopped") if column == 2 else cell(text) for column, text in enumerate(cells)]
    return Row(shown, who_asked(stop))


def _deployments(found: AppHistory) -> list[Row]:
    serving = found.current.deployment if found.current and _serves(found) else ""
    rows = []
    for each in found.deployments:
        took = f"{each.ended_at - each.began_at} s" if each.began_at and each.ended_at else ""
        why = each.restart.get("reason", "") if each.restart else ""
        said = f"Restarted: {why}" if why else each.reason.partition("\n")[0]
        if each.asked:
            said = f"{who_asked(each.asked)} {said}".strip()
        rows.append(
            Row(
                [
                    cell("→" if each.deployment == serving else " ", "green"),
                    cell(each.time[:19].replace("T", " ")),
                    state(each.outcome or "deploying"),
                    cell(version(each.tag, each.digest)),
                    cell(took),
                    cell(each.deployment, "dim"),
                ],
                said,
            )
        )
    return rows
