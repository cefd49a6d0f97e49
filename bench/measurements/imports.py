"""Measures the imports of each function, the largest part of its cold start: wall time, CPU time and memory."""

import os
import statistics
import subprocess
from pathlib import Path

from bench.cloud.bench_cloud import BenchCloud
from tests.conftest import FUNCTION_ENVIRONMENT

ROUNDS = 5
CODE = """
import importlib, re, sys, time
began, used = time.perf_counter(), time.process_time()
importlib.import_module(sys.argv[1])
# Not ru_maxrss: that begins with what the parent had.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
print(time.perf_counter() - began, time.process_time() - used, peak)
"""


def report(cloud: BenchCloud) -> None:
    """Print a table, one row a step, in the Python and the package that the embedded cloud's Lambdas have."""
    python = cloud.settings.state_dir / "lambda-python" / "bin" / "python"
    # SAM builds once for all functions, under the name of one of them.
    package = next((cloud.settings.state_dir / "build").glob("*/deployer")).parent
    print("| function | import, wall | import, CPU | memory |\n|---|---|---|---|")
    for path in sorted((package / "deployer").glob("[se][tv]e*s/[a-z]*.py")):
        runs = [_import(python, package, f"deployer.{path.parent.name}.{path.stem}") for _ in range(ROUNDS)]
        wall, cpu, memory = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"| {path.stem} | {wall * 1000:.0f} ms | {cpu * 1000:.0f} ms | {memory:.0f} MB |")


def _import(python: Path, package: Path, module: str) -> list[float]:
    done = subprocess.run(
        [str(python), "-c", CODE, module],
        check=True,
        capture_output=True,
        text=True,
        env={**FUNCTION_ENVIRONMENT, "PYTHONPATH": str(package), "PATH": os.environ["PATH"]},
    )
    return [float(word) for word in done.stdout.split()]
