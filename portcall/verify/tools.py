"""Runs sam and docker. Their output goes to a log."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from portcall.verify.errors import CheckFailedError

LAST_LINES = 15


@dataclass
class Tools:
    """Runs programs with the same environment and log."""

    log: Path
    folder: Path
    environment: Mapping[str, str]

    def run(self, *command: str, given: str = "", more: Mapping[str, str] | None = None) -> str:
        """Run a program and return its output.

        `given` is its input. Raises CheckFailedError with the end of its output.
        """
        ended = subprocess.run(
            command,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**self.environment, **(more or {})},
            cwd=self.folder,
            # Ctrl-C goes only to this process, which decides what to stop.
            start_new_session=True,
        )
        said = ended.stdout.strip()
        with self.log.open("a") as output:
            output.write(f"\n$ {' '.join(command)}\n{said}\n")
        if ended.returncode != 0:
            raise CheckFailedError(_failed(command, said.splitlines()))
        return said


def _failed(command: Sequence[str], said: Sequence[str]) -> str:
    words = " ".join(command[:2]).rpartition("/")[2]
    return "\n".join([f"`{words}` failed. The end of its output:", *said[-LAST_LINES:]])
