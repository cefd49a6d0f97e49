"""Changes the functions in small ways, one at a time, and prints which changes no test notices.

`python -m bench.mutants` tries all mutants of what has to be tested best, `--one-in 3` one in three of them,
`--quick` one in eight, `--module actions/restarts.py` those of one file. The tests are those in tests/unit and
tests/workflow.
"""

import argparse
import hashlib
import importlib
import json
import math
import os
import sys
import time
from pathlib import Path

from bench.mutants.generate import mutants
from bench.mutants.mutant import Mutant, Result
from bench.mutants.operators import check_examples
from bench.mutants.report import report
from bench.mutants.runner import run
from bench.mutants.targets import ROOT, SUBJECTS, files, module_of

NOTES = ROOT / ".portcall" / "mutants"
QUICK = 8


def main() -> None:
    arguments = _arguments()
    check_examples()
    begin = time.monotonic()
    try:
        found = files({module: (module,) for module in arguments.module} if arguments.module else SUBJECTS)
    except FileNotFoundError as missing:
        sys.exit(str(missing))
    results = run(
        lambda: [each for file in found for each in _mutants(file, arguments)],
        tests=arguments.tests,
        processes=arguments.processes,
        notes=NOTES / "lines.json",
        seconds=arguments.seconds,
        report=_report,
    )
    subjects = {module_of(file): subject for file, subject in found.items()}
    text, good = report(subjects, results, complete=arguments.one_in == 1 and not arguments.lines)
    print(text)
    print(f"{len(results)} mutants in {(time.monotonic() - begin) / 60:.0f} minutes", file=sys.stderr)
    _keep(results)
    sys.exit(0 if good else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.mutants", description=__doc__)
    parser.add_argument("--module", action="append", help="a file below functions/deployer; may be repeated")
    parser.add_argument("--lines", help="only mutants of these lines of it, e.g. 10-25,40", default="")
    parser.add_argument(
        "--tests", nargs="+", default=["tests/unit", "tests/workflow"], help="where to look for tests"
    )
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="of CPU that the tests of one mutant may take"
    )
    parser.add_argument("--one-in", type=int, default=1, help="play so many of them, always the same")
    parser.add_argument(
        "--quick", dest="one_in", action="store_const", const=QUICK, help=f"as --one-in {QUICK}"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def _mutants(file: Path, arguments: argparse.Namespace) -> list[Mutant]:
    name = module_of(file)
    found = list(mutants(file, name, vars(importlib.import_module(name))))
    if arguments.lines:
        wanted = {line for part in arguments.lines.split(",") for line in _range(part)}
        found = [each for each in found if wanted & {*each.lines}]
    # By what they change and not by their place, so that the same ones are chosen tomorrow.
    return [each for each in found if hashlib.sha256(each.after.encode()).digest()[0] % arguments.one_in == 0]


def _range(lines: str) -> range:
    first, _, last = lines.partition("-")
    return range(int(first), int(last or first) + 1)


def _report(result: Result) -> None:
    """A run takes long; one can begin with its first survivor."""
    if not result.killer:
        mutant = result.mutant
        print(
            f"{mutant.module} ({mutant.operator}, {result.tests} tests)\n{mutant.diff}",
            file=sys.stderr,
            flush=True,
        )


def _keep(results: list[Result]) -> None:
    NOTES.mkdir(parents=True, exist_ok=True)
    raw = [
        {
            "module": each.mutant.module,
            "operator": each.mutant.operator,
            "line": each.mutant.lines.start,
            "change": each.mutant.change,
            "killer": each.killer,
            "tests": each.tests,
        }
        for each in results
    ]
    (NOTES / "results.json").write_text(json.dumps(raw, indent=1))


if __name__ == "__main__":
    main()
