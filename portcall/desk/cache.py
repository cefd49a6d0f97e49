"""What commands keep from one to the next: names, in the user's cache folder. Whatever is there may be old."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

APPS = ".apps.json"


def folder() -> Path:
    """Where it is kept: `~/.cache/portcall`, or as XDG_CACHE_HOME says."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "portcall"


def write(path: Path, document: Any) -> None:
    """Keep a document; where nothing can be written the next command asks again."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(document))
        draft.replace(path)


def known_apps() -> list[str]:
    """The apps of the install that was listed last; for completion, which asks no network."""
    with suppress(OSError, ValueError):
        newest = max(folder().glob(f"*{APPS}"), key=lambda path: path.stat().st_mtime)
        names = json.loads(newest.read_text())
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return []
