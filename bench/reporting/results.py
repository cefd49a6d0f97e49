"""Stores the benches' raw results in bench/results/, from which the docs' figures and plots are made."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "results"


def keep(name: str, result: dict[str, Any]) -> Path:
    """Write `results/NAME.json`: the result, with the command, the commit, the time and the machine."""
    conditions = {
        "command": " ".join(["python", *sys.orig_argv[1:]]),
        "commit": _commit(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps({**conditions, "result": result}, indent=1) + "\n")
    return path


def _commit() -> str:
    """The commit, with `-dirty` if the code has changed since. Earlier results and their pages do not count."""
    described = _git("describe", "--always").stdout.strip()
    changed = _git(
        "diff", "--quiet", "HEAD", "--", ":/", ":(exclude,top)bench/results", ":(exclude,top)docs"
    ).returncode
    return f"{described}-dirty" if changed else described


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=FOLDER.parent, capture_output=True, text=True)


def read(name: str) -> dict[str, Any]:
    """Read what `keep` has written. Raises FileNotFoundError."""
    return dict(json.loads((FOLDER / f"{name}.json").read_text()))
