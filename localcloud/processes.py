"""Runs programs: their output goes to a log, and a failure becomes a sentence. Starts those that outlive us."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from localcloud.errors import CloudError as CloudError


def run(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str], folder: Path, failed: str
) -> None:
    """Run a program to its end, its output appended to `log`.

    Raises CloudError that begins with `failed` and ends with the last lines of the output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        begin = output.tell()
        output.write(f"\n$ {' '.join(command)}\n".encode())
        output.flush()
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=dict(environment), cwd=folder
        )
    if done.returncode != 0:
        said = log.read_bytes()[begin:].decode("utf-8", "replace").strip().splitlines()
        raise CloudError("\n".join([f"{failed} The end of its output (all of it: {log}):", *said[-12:]]))


class Detached(subprocess.Popen[bytes]):
    """A program that is meant to outlive our process, in a session of its own; both outputs go to `output`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        output: IO[bytes],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        _started.append(self)

    def __del__(self) -> None:
        """Popen warns here if the process still runs."""


_started: list[Detached] = []


def reap() -> None:
    """Remove those that have ended from the process table, where they would stay until we end."""
    for each in _started:
        each.poll()
