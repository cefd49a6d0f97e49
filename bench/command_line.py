"""How long the command line itself takes: CPU seconds, which other work on the machine does not change much.

`python -m bench.command_line` against the embedded cloud that runs (`portcall up`); `status` is compared with
a script that only creates one client of botocore.
"""

import resource
import subprocess
import sys
from pathlib import Path

from bench.reporting.figures import spread

ROUNDS = 7
PORTCALL = str(Path(sys.executable).parent / "portcall")
CLIENT = (
    "import botocore.session\nbotocore.session.Session().create_client('dynamodb', region_name='us-east-1')"
)
COMMANDS = {
    "portcall --help": [PORTCALL, "--help"],
    "portcall status": [PORTCALL, "status"],
    "botocore and one client, for comparison": [sys.executable, "-c", CLIENT],
}


def cpu(command: list[str]) -> float:
    """The CPU seconds of a program, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    # In turns, so that a slow machine slows down all of them.
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            taken[name].append(cpu(command))
    print("| | CPU seconds, median (smallest to largest) |\n|---|---|")
    for name, seconds in taken.items():
        print(f"| {name} | {spread(seconds, unit='')} |")


if __name__ == "__main__":
    main()
