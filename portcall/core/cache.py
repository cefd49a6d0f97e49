"""Caches names between commands, in the user's cache folder. The contents may be out of date."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

APPS = ".apps.json"


def folder() -> Path:
    """The folder: `~/.cache/portcall`, or below XDG_CACHE_HOME."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "portcall"


def write(path: Path, document: Any) -> None:
    """Store a document. If the folder is not writable, the next command reads from AWS again."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(document))
        draft.replace(path)


def known_apps() -> list[str]:
    """The apps of the last listed install, for completion without a network."""
    with suppress(OSError, ValueError):
        newest = max(folder().glob(f"*{APPS}"), key=lambda path: path.stat().st_mtime)
        names = json.loads(newest.read_text())
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return []
