"""Compiles the functions for Lambda's Python, which cannot keep bytecode: it takes a fifth of a cold start."""

import subprocess
from pathlib import Path

# Where Lambda unpacks a function; it is named in tracebacks.
TASK_ROOT = "/var/task"


def add(folder: Path, runtime: str, uv: Path) -> bool:
    """Compile all modules in a folder for a runtime such as `python3.13`; False if uv finds no such Python.

    Python compares the hash of each source before it uses bytecode, so a function that is edited in Lambda's
    console does what its source says.
    """
    version = runtime.removeprefix("python")
    python = [str(uv), "run", "--quiet", "--isolated", "--no-project", "--python", version, "python"]
    how = ["-q", "--invalidation-mode", "checked-hash", "-s", str(folder), "-p", TASK_ROOT]
    done = subprocess.run([*python, "-m", "compileall", *how, str(folder)], capture_output=True)
    return done.returncode == 0


def suffix(runtime: str) -> str:
    """How the names of a runtime's compiled modules end."""
    return f".cpython-{runtime.removeprefix('python').replace('.', '')}.pyc"
