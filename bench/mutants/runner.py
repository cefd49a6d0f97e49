"""Runs the tests on mutants: pytest collects the tests once, and a fork runs each mutant.

First a fork measures which tests run which line; this is kept until the functions or the test file change. For
a
mutant, the tests that run its line are run until one fails, beginning with those that caught others.
"""

import contextlib
import gc
import hashlib
import importlib
import json
import math
import os
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import accumulate, zip_longest
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage

from bench.mutants import patch
from bench.mutants.mutant import TIME_OUT, Mutant, Result
from bench.mutants.targets import FUNCTIONS, ROOT

# Slower tests (seconds of CPU) are left out, because they would run for each survivor.
LONGEST_SECONDS = 3.0
# The CPU time of a mutant beyond its tests', and the longest wait in all (seconds).
SPARE_SECONDS, PATIENCE_SECONDS = 10, 240


@dataclass
class Test:
    """A passing test: its CPU seconds, and the lines that it ran, by file."""

    seconds: float
    lines: dict[str, list[int]] = field(default_factory=dict)


def run(
    choose: Callable[[], Sequence[Mutant]],
    *,
    tests: Sequence[str],
    processes: int,
    notes: Path,
    seconds: float = math.inf,
    report: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Play mutants, chosen once the functions are imported; `notes` keeps which test runs which line.

    Each mutant gets tests of at most this many CPU `seconds`; if only other tests would catch it, it counts as
    a survivor.
    `report` is called with each result as it comes.
    """
    runner = _Runner(choose, processes, notes, seconds, report)
    quiet = ["-qq", "-s", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-p", "no:xdist"]
    os.environ["CI"] = "1"  # Hypothesis uses the same examples each time.
    code = pytest.main([*quiet, *tests], plugins=[runner])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        sys.exit(f"The tests could not be collected: pytest ended with {code}.")
    return runner.results


class _Runner:
    """A pytest plugin that replaces pytest's loop over the tests."""

    def __init__(
        self,
        choose: Callable[[], Sequence[Mutant]],
        processes: int,
        notes: Path,
        seconds: float,
        report: Callable[[Result], None],
    ) -> None:
        self._choose, self._processes, self._notes = choose, processes, notes
        self._seconds, self._report = seconds, report
        self._failed = ""
        self._caught: dict[str, Counter[str]] = defaultdict(Counter)
        self.results: list[Result] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # What was skipped has not looked; in `_measure` that is what takes too long.
        if not report.passed:
            self._failed = report.nodeid

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        known = self._measure(items)
        _say(f"{len(known)} of {len(items)} tests are used")
        if not known:
            raise pytest.UsageError("None of these tests runs a line of the functions.")
        # All forks share what the first test imports and reads.
        with _silence():
            self._play([items[max(known, key=lambda name: len(known[name].lines))]])
        gc.freeze()
        waiting = list(reversed(self._choose()))
        running: dict[int, tuple[Mutant, int, int, float]] = {}
        total, reported = len(waiting), 0
        while waiting or running:
            while waiting and len(running) < self._processes:
                mutant = waiting.pop()
                chosen = self._tests_of(mutant, known)
                seconds = sum(known[name].seconds for name in chosen)
                pid, answer = self._fork(partial(self._try, mutant, [items[name] for name in chosen]), seconds)
                running[pid] = (mutant, len(chosen), answer, time.monotonic() + PATIENCE_SECONDS + 10 * seconds)
            self._reap(running)
            if len(self.results) >= reported + 25:
                reported = len(self.results)
                survivors = sum(not each.killer for each in self.results)
                _say(f"{reported} of {total} mutants, {survivors} survivors")
        return True

    def _reap(self, running: dict[int, tuple[Mutant, int, int, float]]) -> None:
        time.sleep(0.02)
        for pid, (mutant, tests, answer, until) in list(running.items()):
            if time.monotonic() > until:
                os.killpg(pid, signal.SIGKILL)
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            del running[pid]
            with os.fdopen(answer) as said:
                killer = said.read()
            if os.waitstatus_to_exitcode(status) < 0:
                killer = TIME_OUT
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            self._caught[mutant.module][killer] += 1
            self.results.append(Result(mutant, killer, tests))
            self._report(self.results[-1])

    def _try(self, mutant: Mutant, chosen: Sequence[pytest.Item]) -> str:
        """In a fork: run tests until one fails; return its name, '' if none fails."""
        try:
            patch.apply(importlib.import_module(mutant.module), mutant.after)
        except Exception as error:
            return f"its import: {error}"
        return self._play(chosen)

    def _play(self, chosen: Sequence[pytest.Item]) -> str:
        self._failed = ""
        for item, following in zip(chosen, [*chosen[1:], None], strict=True):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return self._failed
        return ""

    def _tests_of(self, mutant: Mutant, known: dict[str, Test]) -> list[str]:
        """The tests that may notice, the most promising first."""
        file = str(Path(sys.modules[mutant.module].__file__ or "").relative_to(FUNCTIONS))
        running = [name for name, test in known.items() if mutant.may_be_noticed(file, test.lines)]
        caught = self._caught[mutant.module]
        first = sorted(
            (name for name in running if caught[name]),
            key=lambda name: -caught[name] / (0.2 + known[name].seconds),
        )[:12]
        files: dict[str, list[str]] = defaultdict(list)
        for name in sorted(running, key=lambda name: known[name].seconds):
            if name not in first:
                files[name.partition("::")[0]].append(name)
        if math.isfinite(self._seconds):
            # The quickest of each file, then the second of each: what little is met is to be of all kinds.
            rounds = zip_longest(*files.values())
            return self._affordable([*first, *(name for each in rounds for name in each if name)], known)
        # Tests of a file share what is costly to set up; the file whose tests are the quickest comes first.
        return first + [
            name
            for names in sorted(files.values(), key=lambda names: known[names[len(names) // 2]].seconds)
            for name in names
        ]

    def _affordable(self, names: Sequence[str], known: dict[str, Test]) -> list[str]:
        spent = accumulate(known[name].seconds for name in names)
        return [name for name, seconds in zip(names, spent, strict=True) if seconds <= self._seconds]

    def _fork(self, work: Callable[[], str], seconds: float) -> tuple[int, int]:
        """Call it in a forked process; return the process and the pipe with its answer."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid:
            os.close(writing)
            os.setpgid(pid, pid)
            return pid, reading
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        limit = int(SPARE_SECONDS + 4 * seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        try:
            os.write(writing, work().encode())
        finally:
            os._exit(0)

    def _measure(self, items: dict[str, pytest.Item]) -> dict[str, Test]:
        """The tests that can be used. Those of a file are measured again once it or the functions change."""
        old = json.loads(self._notes.read_text()) if self._notes.exists() else {}
        new: dict[str, Any] = dict(old)
        by_file: dict[str, list[pytest.Item]] = defaultdict(list)
        for item in items.values():
            by_file[item.nodeid.partition("::")[0]].append(item)
        shared = _digest(*FUNCTIONS.rglob("*.py"), *ROOT.glob("tests/*.py"), *ROOT.glob("tests/*/conftest.py"))
        changed = {}
        for file, its_items in by_file.items():
            digest = shared + _digest(ROOT / file)
            if old.get(file, {}).get("digest") != digest:
                changed[file], new[file] = its_items, {"digest": digest}
        self._notes.parent.mkdir(parents=True, exist_ok=True)
        for file, tests in self._measure_all(changed):
            new[file]["tests"] = tests
            # At once: measuring takes minutes, and may be interrupted.
            self._notes.write_text(json.dumps({name: each for name, each in new.items() if "tests" in each}))
        return {
            name: Test(**test)
            for each in new.values()
            for name, test in each["tests"].items()
            if name in items and test["seconds"] < LONGEST_SECONDS and test["lines"]
        }

    def _measure_all(self, files: dict[str, list[pytest.Item]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Measure file by file, in parallel forks."""
        waiting = list(files)
        running: dict[int, tuple[str, Path, int]] = {}
        while waiting or running:
            while waiting and len(running) < self._processes:
                file = waiting.pop()
                out = self._notes.with_name(f"{file.replace('/', '-')}.json")
                out.parent.mkdir(parents=True, exist_ok=True)
                _say(f"Which lines does {file} run?")
                pid, answer = self._fork(partial(self._note_lines_of, files[file], out), 900)
                running[pid] = (file, out, answer)
            pid, _ = os.wait()
            file, out, answer = running.pop(pid)
            os.close(answer)
            yield file, json.loads(out.read_text())
            out.unlink()

    def _note_lines_of(self, items: Sequence[pytest.Item], out: Path) -> str:
        """In a fork: run the tests of a file; record each test's lines and CPU time."""
        coverage = Coverage(data_file=None, include=[f"{FUNCTIONS}/*"], config_file=False)
        # A file of tests need not run any line of the functions.
        coverage.set_option("run:disable_warnings", ["no-data-collected"])
        coverage.start()
        signal.signal(signal.SIGPROF, lambda *_: pytest.skip("It takes too long."))
        tests: dict[str, Test] = {}
        for item, following in zip(items, [*items[1:], None], strict=True):
            coverage.switch_context(item.nodeid)
            signal.setitimer(signal.ITIMER_PROF, LONGEST_SECONDS)
            begin, self._failed = time.process_time(), ""
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if not self._failed:
                tests[item.nodeid] = Test(round(time.process_time() - begin, 3))
        signal.setitimer(signal.ITIMER_PROF, 0)
        coverage.stop()
        data = coverage.get_data()
        for file in data.measured_files():
            name = str(Path(file).relative_to(FUNCTIONS))
            for line, contexts in data.contexts_by_lineno(file).items():
                for context in contexts:
                    if context in tests:
                        tests[context].lines.setdefault(name, []).append(line)
        out.write_text(json.dumps({name: asdict(test) for name, test in tests.items()}))
        return ""


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Silence the functions' log, which would go into the report."""
    sys.stdout.flush()
    before = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        yield
        sys.stdout.flush()
    os.dup2(before, 1)
    os.close(before)


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:16]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
