"""`portcall plan`: says what a push of an image would do."""

import json
from typing import Any

import click
from deployer.domain.endpoint import NONE, TCP
from deployer.domain.health_check import WORKER_SECONDS
from deployer.domain.image_spec import ImageSpec
from rich.text import Text

from portcall.cli.layout import cell
from portcall.cli.options import SCHEMA, say, target_of, target_options
from portcall.core.plan import DEPLOY, IN_ECR, Plan
from portcall.core.plan import plan as plan_of
from portcall.core.terminal import Terminal, fail
from portcall.core.trouble import Exit

SAID = {
    "record": "would be recorded but not deployed",
    "nothing": "starts nothing",
    "ignore": "would be ignored",
    "refuse": "would be refused",
}


@click.command()
@click.argument("image")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@target_options
def plan(image: str, as_json: bool, **options: Any) -> None:
    """Say what a push of IMAGE would do: app, port, CPU, size, price, health check. Changes nothing.

    IMAGE is an image in this machine's Docker or, if there is none of that name, in ECR. Exit code 1: it would
    not be deployed.
    """
    target = target_of(options, quiet=as_json)
    made = plan_of(target, image)
    if as_json:
        click.echo(json.dumps({**SCHEMA, **made.document()}, indent=2))
    else:
        if made.spec:
            _show(Terminal(), made)
        if made.would != DEPLOY:
            fail("\n".join(filter(None, [f"A push of {image} {SAID[made.would]}: {made.reason}", made.do])))
    if made.would != DEPLOY:
        raise click.exceptions.Exit(Exit.NO)


def _show(console: Terminal, made: Plan) -> None:
    console.print(cell(made.app, "bold"), cell(f"from {made.image}, {_found(made)}"), soft_wrap=True)
    for name, value in facts(made):
        console.print(Text(f"  {name + ':':<10}", style="dim") + cell(value), soft_wrap=True)
    for note in made.notes:
        say(note, style="dim")


def _found(made: Plan) -> str:
    size = f" ({made.size / 1e6:.0f} MB)" if made.size >= 1e6 else ""
    return f"{'in ECR' if made.found == IN_ECR else 'on this machine'}{size}"


def facts(made: Plan) -> list[tuple[str, str]]:
    """The lines of the output: name -> text."""
    if not made.spec:
        return []
    return [
        ("Replaces", made.replaces or "nothing: it would be the first version that runs"),
        ("Port", port(made.spec)),
        ("CPU", made.spec.architecture),
        ("Size", f"{int(made.spec.cpu) / 1024:g} vCPU, {made.spec.memory} MiB"),
        ("Price", made.price.said if made.price else ""),
        ("Health", health(made.spec)),
        *([("Scan", _gate(made.gate))] if made.gate != "none" else []),
        ("Slot", {"unknown": "not known: that needs the viewer policy"}.get(made.slot, made.slot)),
        *([("Ends", _end(made))] if made.preview or made.until_hours else []),
    ]


def port(spec: ImageSpec) -> str:
    """The ports in the order in which they are tried, with what names each."""
    if not spec.candidates:
        return "none: a worker"
    return ", then ".join(f"{each.port} ({each.named_by})" for each in spec.candidates)


def health(spec: ImageSpec) -> str:
    """What the app must do to be live."""
    if spec.health == NONE:
        return f"none: it is live once it has run for {WORKER_SECONDS:.0f} s"
    how = "a TCP connection" if spec.health == TCP else f"GET {spec.health}"
    return f"{how}, within {spec.timeout} s"


def _gate(refuses: str) -> str:
    found = "critical or high" if refuses == "high" else refuses
    return f"ECR's scan must not find {found} vulnerabilities"


def _end(made: Plan) -> str:
    ends = f"{made.until_hours:g} h after it goes live" if made.until_hours else ""
    return " or ".join(filter(None, [ends, "when its tag is deleted" if made.preview else ""]))
