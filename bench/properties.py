"""Searches further than `make test` for a broken property: Hypothesis plays many times as many examples.

`python -m bench.properties --seed 7 --times 20` prints the smallest example of each test that fails. The same
seed on the same code plays the same examples.
"""

import argparse
import os
import subprocess
import sys


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--times", type=int, default=10)
    asked = arguments.parse_args()
    environment = os.environ | {"PORTCALL_EXAMPLES_TIMES": str(asked.times)}
    # There the examples are fixed.
    environment.pop("CI", None)
    tests = ["-m", "hypothesis", f"--hypothesis-seed={asked.seed}", "tests/unit", "tests/workflow"]
    command = [sys.executable, "-m", "pytest", "-q", *tests]
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
