"""`portcall show`: shows one deployment, with the reason of a failure and the end of its log."""

import json
from typing import Any

import click
from deployer.domain import timing
from deployer.domain.deployment import Current, Deployment
from deployer.domain.text import at
from rich.text import Text

from portcall.cli.layout import cell, state
from portcall.cli.options import SCHEMA, complete_app, say, target_of, target_options
from portcall.core import reading, states
from portcall.core.reading import AppHistory
from portcall.core.target import Target
from portcall.core.terminal import Terminal
from portcall.core.trouble import Exit, Trouble

BAR = 32


@click.command()
@click.argument("name", metavar="APP|DEPLOYMENT", shell_complete=complete_app)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@target_options
def show(name: str, as_json: bool, **options: Any) -> None:
    """Show the last deployment of an app, or the one whose id begins with this text."""
    target = target_of(options, quiet=as_json)
    found, deployment = _find(target, name)
    status = states.status_of(found.app, found.current, found.deployments)
    if as_json:
        document = {
            "app": found.app,
            "state": status.state if status else None,
            "serving": states.serving_document(status.serving) if status and status.serving else None,
            "deployment": {**states.deployment_document(deployment), **_details(deployment)},
        }
        click.echo(json.dumps({**SCHEMA, **document}, indent=2))
        return
    _show(Terminal(), found, deployment)
    if status and status.state in (states.DOWN, states.STOPPED):
        say(f"{found.app} is {status.state}: {status.note}")


def _find(target: Target, name: str) -> tuple[AppHistory, Deployment]:
    found = reading.known(target, name)
    if found is None:
        # A deployment's id has neither of these characters; an app's name may.
        if "/" in name or ":" in name:
            reading.refuse_unknown(target, name)
        return reading.find_deployment(target, name)
    status = states.status_of(name, found.current, found.deployments)
    latest = (status and status.latest) or next(iter(found.deployments), None)
    if latest is None:
        raise Trouble(f"The deployments of {name} are no longer kept.", Exit.NO_SUCH_THING)
    return found, latest


def phases_of(deployment: Deployment) -> list[tuple[str, float]]:
    """(name, seconds) in the order of the workflow."""
    known = deployment.phases
    return [(name, float(known[name])) for name in timing.NAMES if name in known]


def _details(deployment: Deployment) -> dict[str, Any]:
    return {
        "phases": dict(phases_of(deployment)),
        "revision": deployment.revision,
        "task": deployment.task,
        "execution": deployment.execution,
        "log": deployment.log,
    }


def _show(console: Terminal, found: AppHistory, deployment: Deployment) -> None:
    console.print(
        cell(found.app, "bold"),
        state(deployment.outcome or "deploying"),
        cell(states.version(deployment.tag, deployment.digest)),
        soft_wrap=True,
    )
    facts = [
        ("URL", deployment.url),
        ("Reason", deployment.reason),
        ("What to do", deployment.hint),
        ("Restart", str(deployment.restart.get("reason", ""))),
        ("Requested", states.who_asked(deployment.asked)),
        ("Pinned", _pinned(found.current)),
        ("Serves", _serving(found.current, deployment)),
        ("Pushed", deployment.time),
        ("Digest", deployment.digest),
        ("Revision", deployment.revision.rpartition("/")[2]),
        ("Task", deployment.task.rpartition("/")[2]),
        ("Deployment", deployment.deployment),
        ("Execution", deployment.execution),
    ]
    for name, value in facts:
        if value:
            console.print(Text(f"  {name + ':':<12}", style="dim") + cell(value), soft_wrap=True)
    _bars(console, phases_of(deployment))
    if deployment.log:
        console.print(Text("\nThe end of its log:", style="dim"))
        for line in deployment.log:
            console.print(Text("  ") + cell(line), soft_wrap=True)


def _pinned(current: Current | None) -> str:
    return states.pinned(current.pin).removeprefix("Pinned ") if current and current.pin else ""


def _serving(current: Current | None, deployment: Deployment) -> str:
    if current is None or not states.answers(current):
        return "nothing"
    if current.deployment == deployment.deployment:
        return ""
    return f"{states.version(current.tag, current.digest)}{at(current.url)}"


def _bars(console: Terminal, phases: list[tuple[str, float]]) -> None:
    total = sum(seconds for _, seconds in phases)
    if not total:
        return
    console.print(Text(f"\n{total:.1f} s:", style="dim"))
    before = 0.0
    for name, seconds in phases:
        begin, end = round(BAR * before / total), round(BAR * (before + seconds) / total)
        bar = " " * begin + "█" * (end - begin or 1)
        console.print(Text(f"  {name:<9} {seconds:6.1f} s  {bar}"), soft_wrap=True)
        before += seconds
