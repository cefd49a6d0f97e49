"""Records what the embedded cloud refused, as lines of JSON in its state folder.

So no refusal goes unnoticed, even if a client retries or ignores it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from localcloud.aws_rules.limits import Refusal

FILE = "refused.jsonl"

log = logging.getLogger("portcall.refusals")
_file: Path | None = None


def keep_in(state_dir: Path) -> None:
    """Start a new list in this folder."""
    global _file
    _file = state_dir / FILE
    _file.write_text("")


def note(call: str, refused: Sequence[Refusal]) -> None:
    """Add the refused values of a call (`ecs:RunTask`) or of a resource (`AWS::SNS::Topic Topic`)."""
    for each in refused:
        log.warning("AWS would refuse %s: %s", call, each)
    if _file is not None:
        with _file.open("a") as lines:
            lines.write(json.dumps({"call": call, "refused": [str(each) for each in refused]}) + "\n")


def unexpected(state_dir: Path, expected: Sequence[object]) -> list[dict[str, object]]:
    """The refusals that were not expected; each expected text excuses one refusal."""
    left = list(expected)
    found = []
    for each in noted(state_dir):
        if each in left:
            left.remove(each)
        else:
            found.append(each)
    return found


def noted(state_dir: Path) -> list[dict[str, object]]:
    """The refusals since the cloud started."""
    file = state_dir / FILE
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
