"""Writes verify-aws.md (what was expected, what AWS did) and verify-aws.json (the evidence)."""

import json
import re
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from portcall.verify.check import CHECKS
from portcall.verify.queues import lateness
from portcall.verify.state import DIFFERENT, FAILED, NOT_RUN, SAME, State

NOT_WANTED = "it was not selected"
EVENTS_SHOWN = 60
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")


def write(state: State, report: Path, kind: str, left: list[str]) -> Path:
    """Write the report, and the evidence next to it; return the evidence's path. Both are masked."""
    evidence = report.with_suffix(".json")
    report.write_text(masked(_report(state, kind, left, evidence.name), state.account))
    results = {name: vars(each) for name, each in state.results.items()}
    document = {"results": results, "events": state.events, "mails": state.mails}
    evidence.write_text(masked(json.dumps(document, indent=1, default=str), state.account) + "\n")
    return evidence


def masked(text: str, account: str) -> str:
    """The text without account ids and email addresses; digests and times stay."""
    text = text.replace(account, "<account>")
    return _EMAIL.sub("<email>", _ACCOUNT.sub("<account>", text))


def _report(state: State, kind: str, left: list[str], evidence: str) -> str:
    counts = {verdict: 0 for verdict in (SAME, DIFFERENT, FAILED, NOT_RUN)}
    for name in CHECKS:
        counts[_verdict(state, name)] += 1
    where = "AWS" if kind == "AWS" else "the embedded cloud, which proves nothing about AWS"
    lines = [
        "# What AWS did",
        "",
        f"Portcall {version('portcall')} in {where}, region {state.region}, install `{state.name}`, "
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(state.started))}.",
        "",
        ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + ".",
        "",
        "*Expected* is what the embedded cloud does and AWS documents. *different*: AWS did something else. "
        "*failed*: the check has no result.",
        "",
        "| Check | Expected | What AWS did | Seconds | Verdict |",
        "|---|---|---|---|---|",
        *(_row(state, name) for name in CHECKS),
        "",
        *_left(state, left),
        *_texts(state),
        "## Events",
        "",
        f"As they reached the run's own queue; `{evidence}` has the whole events. *Late* is the time from "
        "the event's own time, in whole seconds, to its arrival in the queue.",
        "",
        *_events(state),
    ]
    return "\n".join(lines) + "\n"


def _verdict(state: State, name: str) -> str:
    return state.results[name].verdict if name in state.results else NOT_RUN


def _row(state: State, name: str) -> str:
    result = state.results.get(name)
    observed = result.observed if result else NOT_WANTED
    seconds = f"{result.seconds:.0f}" if result and result.seconds else ""
    expected = _cell(CHECKS[name].expected)
    return f"| `{name}` | {expected} | {_cell(observed)} | {seconds} | {_verdict(state, name)} |"


def _cell(text: str) -> str:
    first, _, more = text.strip().partition("\n")
    return (first + (" ... (below)" if more else "")).replace("|", "\\|")


def _texts(state: State) -> list[str]:
    """The texts that do not fit into a cell."""
    lines: list[str] = []
    for name, result in state.results.items():
        if "\n" in result.observed.strip():
            lines += [f"### {name}", "", "```", result.observed.strip(), "```", ""]
    return ["## In full", "", *lines] if lines else []


def _left(state: State, left: list[str]) -> list[str]:
    if not left:
        return []
    return [
        "## What could not be deleted",
        "",
        *(f"- {each}" for each in left),
        "",
        f"Try again with `portcall verify-aws --clean {state.name}`.",
        "",
    ]


def _events(state: State) -> list[str]:
    if not state.events:
        return ["None."]
    rows = [_event(each) for each in state.events[:EVENTS_SHOWN]]
    more = len(state.events) - len(rows)
    return [
        "| Time | Late | Event | What |",
        "|---|---|---|---|",
        *rows,
        *([f"\nAnd {more} more."] if more > 0 else []),
    ]


def _event(each: dict[str, Any]) -> str:
    event, detail = each["event"], each["event"]["detail"]
    names = (
        ("action-type", "result", "image-tag", "image-digest", "manifest-media-type", "artifact-media-type")
        if event["source"] == "aws.ecr"
        else ("lastStatus", "desiredStatus", "version", "stopCode", "stoppedReason")
    )
    what = ", ".join(f"{name}={_short(detail[name])}" for name in names if name in detail)
    return f"| {event['time']} | {lateness(each):.0f} s | {event['detail-type']} | {_cell(what)} |"


def _short(value: object) -> str:
    text = str(value)
    return text[:19] if text.startswith("sha256:") else repr(text) if text in ("", " ") else text
