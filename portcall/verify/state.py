"""The state of a run, in a file, so that the run can be resumed and cleaned up."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAME, DIFFERENT, FAILED, NOT_RUN = "same", "different", "failed", "not run"
PREFIX = "verify-aws-"


@dataclass
class Result:
    """The result of a check. `install` is the number of the install in which it ran."""

    verdict: str
    observed: str
    seconds: float = 0.0
    install: int = 0
    settled: bool = False


@dataclass
class State:
    """`install` counts the installs of this run; `facts` are values that checks store for others."""

    name: str
    account: str
    region: str
    endpoint: str
    path: Path
    started: float = 0.0
    install: int = 0
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    results: dict[str, Result] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    mails: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def save(self) -> None:
        """Write the file, completely or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        document = {**dataclasses.asdict(self), "path": str(self.path)}
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps(document, indent=1, default=str) + "\n")
        draft.replace(self.path)

    def forget_install(self) -> None:
        """The install is deleted; its results are kept."""
        self.outputs, self.resources, self.parameters = {}, {}, {}

    @classmethod
    def load(cls, path: Path) -> "State":
        """Load a state. Raises OSError or ValueError if the file is missing or invalid."""
        document = json.loads(path.read_text())
        results = {name: Result(**each) for name, each in document.pop("results").items()}
        return cls(**{**document, "path": path, "results": results})


def path_of(folder: Path, name: str) -> Path:
    """The file of the run of that name."""
    return folder / f"{PREFIX}{name}.json"


def known(folder: Path) -> Iterator[Path]:
    """The states of earlier runs, newest first."""
    found = folder.glob(f"{PREFIX}*.json")
    yield from sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
