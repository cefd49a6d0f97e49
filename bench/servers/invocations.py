"""Measures each invocation of a function: the seconds of CPU, and the seconds in which it waits for others.

On a laptop a dozen functions load at once and wait for each other's processors, which functions of Lambda do
not. Linux counts that wait for each thread, so that it can be left out:
https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "invocations.jsonl"


@dataclass(frozen=True)
class Invocation:
    """`waited` is the time in which it needed no processor, e.g. while it waited for AWS's answers."""

    function: str
    cpu: float
    waited: float


def read(state_dir: Path) -> list[Invocation]:
    """All invocations so far, in their order."""
    file = state_dir / FILE
    lines = file.read_text().splitlines() if file.exists() else []
    return [Invocation(**json.loads(line)) for line in lines]


def note(state_dir: Path) -> None:
    """From now on, note each invocation in this process, which is the embedded cloud's."""
    from localcloud.patches.aws_lambda.function_process import FunctionProcess

    file = state_dir / FILE
    original: Callable[..., Any] = FunctionProcess.invoke

    def invoke(self: FunctionProcess, *arguments: Any, **more: Any) -> Any:
        # What an earlier invocation took does not count; the loading of a new process does.
        cpu, queued = _used(self._proc.pid) if self.is_loaded else (0.0, 0.0)
        began = time.perf_counter()
        answer = original(self, *arguments, **more)
        whole = time.perf_counter() - began
        if self.is_loaded:
            after = _used(self._proc.pid)
            cpu, queued = after[0] - cpu, after[1] - queued
            noted = Invocation(self.func_name, cpu, max(0.0, whole - cpu - queued))
            with file.open("a") as lines:
                lines.write(json.dumps(asdict(noted)) + "\n")
        return answer

    FunctionProcess.invoke = invoke  # type: ignore[method-assign]


def _used(pid: int) -> tuple[float, float]:
    """Seconds that a process's threads have run, and have waited for a processor."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    times = [[int(number) / 1e9 for number in file.read_text().split()[:2]] for file in files]
    return sum(ran for ran, _ in times), sum(queued for _, queued in times)
