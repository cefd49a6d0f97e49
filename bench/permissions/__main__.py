"""Reports which statements the calls of the tests needed: `python -m bench.permissions FOLDER`.

The embedded cloud writes the calls that IAM let through to PORTCALL_IAM_DECISIONS; its engine is asked again.
A statement that nothing needs must say so in template.yaml, at its Sid: `# not exercised here: why`;
a part of one above it: `# dynamodb:Query is not exercised here: why`.
If not all tests of tests/local and tests/e2e have run, the report says so, and nothing fails: the others may
need the rest. `make test` runs them all, and passes `--whole`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from bench.permissions.report import Report, load
from bench.permissions.table import SECURITY, outdated, write

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
# The tests that start embedded clouds.
SUITE = ("tests/local", "tests/e2e")


def missing(folder: Path) -> list[str]:
    """The tests of the suite that did not run, by what tests/conftest.py has noted in the folder."""
    ran = {line for path in folder.glob("**/ran") for line in path.read_text().splitlines()}
    return [each for each in suite() if each not in ran]


def suite() -> list[str]:
    """The ids of its tests."""
    line = [sys.executable, "-m", "pytest", "--collect-only", *SUITE]
    collected = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    tests = [line for line in collected.stdout.splitlines() if "::" in line]
    if collected.returncode or not tests:
        sys.exit(f"The tests cannot be listed: {collected.stdout}{collected.stderr}")
    return tests


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.permissions", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--parts", action="store_true", help="take each action, resource and value away")
    parser.add_argument("--whole", action="store_true", help="fail, too, where not every test has run")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the table of docs/security.md; without a folder, only what the roles may",
    )
    given = parser.parse_args()
    report = Report(load(given.folder) if given.folder else [], TEMPLATE.read_text())
    if given.write:
        write(report)
    problems = outdated(SECURITY.read_text())
    if given.folder:
        left_out = missing(given.folder)
        found = report.unused() + (report.survivors() if given.parts else [])
        # What a test has needed it needs, whatever else ran.
        problems += report.needless_excuses()
        print(
            f"{len(set(report.used) & set(report.all))} of {len(report.all)} statements are needed by a test."
        )
        if not left_out:
            problems += found + (report.needless_excuses_of_parts() if given.parts else [])
        elif given.whole:
            problems.append(f"{len(left_out)} tests did not run, so nothing is known:")
            problems += left_out
        else:
            print(
                f"This is a part of the report: {len(left_out)} tests of {' and '.join(SUITE)} did not run, "
                f"{left_out[0]} among them, and `make test` runs them all. So far:"
            )
            print("\n".join(found))
    sys.exit("\n".join(problems) or 0)


if __name__ == "__main__":
    main()
