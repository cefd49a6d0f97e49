"""`portcall doctor`: what is wrong, and what to do."""

import json
from collections import Counter
from typing import Any

import click
from rich.text import Text

from portcall.cli.layout import cell
from portcall.cli.options import SCHEMA, complete_app, say, target_of, target_options
from portcall.core.doctor import checkup
from portcall.core.doctor.judgement import Finding, Result
from portcall.core.terminal import Terminal
from portcall.core.trouble import Exit, Trouble

MARKS = {
    Result.OK: ("ok", "green"),
    Result.WARNING: (" !", "yellow"),
    Result.FAILED: (" ✗", "red"),
    Result.UNKNOWN: (" ?", "yellow"),
}


@click.command()
@click.argument("name", required=False, metavar="[APP|IMAGE]", shell_complete=complete_app)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@target_options
def doctor(name: str | None, as_json: bool, **options: Any) -> None:
    """Say what is wrong and what to do: this machine, your account, the install, and an app or image.

    Nothing is changed. Exit code 1: something is wrong (✗). A ? marks what could not be checked, for example
    for lack of a permission.
    """
    findings = _examine(name, options, quiet=as_json)
    wrong = any(each.judgement.result == Result.FAILED for each in findings)
    if as_json:
        click.echo(
            json.dumps({**SCHEMA, "ok": not wrong, "checks": [each.document() for each in findings]}, indent=2)
        )
    else:
        _show(Terminal(), findings)
        _sum_up(findings)
    if wrong:
        raise click.exceptions.Exit(Exit.NO)


def _examine(name: str | None, options: dict[str, Any], *, quiet: bool) -> list[Finding]:
    try:
        target = target_of(options, quiet=True)
    except Trouble as trouble:
        if trouble.exit_code == Exit.USAGE:
            raise
        return checkup.without_target(trouble)
    if not quiet:
        say(f"{target.stack} in {target.region}" if not target.embedded else target.name, style="dim")
    return checkup.examine(target, name or "")


def _show(console: Terminal, findings: list[Finding]) -> None:
    group = ""
    for each in findings:
        if each.group != group:
            group = each.group
            console.print(Text(group, style="bold"))
        mark, style = MARKS[each.judgement.result]
        line = (
            Text(f"  {mark} ", style=style) + Text(f"{each.check}: ", style="dim") + cell(each.judgement.said)
        )
        console.print(line, soft_wrap=True)
        if each.judgement.do:
            console.print(Text("     → ") + cell(each.judgement.do), soft_wrap=True)


def _sum_up(findings: list[Finding]) -> None:
    counts = Counter(each.judgement.result for each in findings)
    say(
        ", ".join(f"{counts[result]} {result.value}" for result in Result if counts[result]) + ".",
        style="dim",
    )
