"""The figures of a burst in the embedded cloud, and the conditions that do not hold at its end."""

import contextlib
import http.client
import re
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil

from bench.cloud.bench_cloud import BenchCloud
from bench.measurements.observed import Observed
from bench.rates_and_prices import quotas
from bench.rates_and_prices.rates import most_within
from localcloud.apps import running

MEMORY_GB = 1.0
# It is pushed first, by itself, so that the time of a single deployment is known.
ALONE = "bench-alone"


@dataclass
class Burst:
    """What was pushed, and when: each app's `(UNIX time, digest)` in order."""

    began: float = 0.0
    accepted: float = 0.0
    pushed: dict[str, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))

    def digests(self, app: str) -> list[str]:
        return [digest for _, digest in self.pushed[app]]

    @property
    def pushes(self) -> int:
        return sum(map(len, self.pushed.values()))


@dataclass
class Load:
    """The highest number of function processes and of bytes, and the CPU seconds of each process."""

    processes: int = 0
    memory: float = 0.0
    cpu: dict[int, float] = field(default_factory=dict)

    def look(self, cloud: BenchCloud) -> None:
        """Measure the cloud's process and those of the functions."""
        server = psutil.Process(int((cloud.settings.state_dir / "cloud.pid").read_text()))
        memory, functions = float(server.memory_info().rss), 0
        for child in server.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                memory += child.memory_info().rss
                self.cpu[child.pid] = sum(child.cpu_times()[:2])
                functions += 1
        self.processes, self.memory = max(self.processes, functions), max(self.memory, memory)


@dataclass(frozen=True)
class Figures:
    """The figures of a burst. Times are in seconds."""

    pushes: int
    apps: int
    pushing: float
    drained: float
    outcomes: dict[str, int]
    executions: int
    transitions: int
    retries: dict[str, int]
    revisions: int
    calls: dict[str, int]
    tasks: int
    invocations: int
    billed: float
    cpu: float
    mails: int
    mails_in_a_second: int
    processes: int
    memory: float

    def table(self) -> str:
        """The figures as a Markdown table."""
        deployed = self.outcomes.get("deployed", 0)
        rows = [
            ("pushes, and the time that the registry took for them", f"{self.pushes} in {self.pushing:.1f} s"),
            ("until the last execution ended", f"{self.drained:.1f} s"),
            (
                "sustained",
                f"{self.pushes / self.drained:.1f} pushes/s, {deployed / self.drained:.1f} deployments/s",
            ),
            ("outcomes", ", ".join(f"{count} {name}" for name, count in self.outcomes.items())),
            ("executions", str(self.executions)),
            (
                "state transitions, retries included",
                f"{self.transitions} ({self.transitions / self.pushes:.1f} per push)",
            ),
            ("retries of a state", str(sum(self.retries.values()))),
            (
                "RegisterTaskDefinition calls",
                f"{self.calls.get('RegisterTaskDefinition', 0)}, {self.revisions} revisions; "
                f"AWS needs {max(0, self.revisions - int(quotas.REGISTER.burst))} s for them",
            ),
            ("RunTask calls", f"{self.calls.get('RunTask', 0)}, {self.tasks} tasks"),
            (
                "Lambda",
                f"{self.invocations} invocations, {self.cpu:.0f} s of CPU; {self.billed:.0f} s reported as "
                f"billed, the wait for a processor included ({self.billed * MEMORY_GB:.0f} GB-s)",
            ),
            ("mails", f"{self.mails}, at most {self.mails_in_a_second} within one second"),
            (
                "at the peak",
                f"{self.processes} processes of Lambda, {self.memory / 1e9:.1f} GB with the cloud's own",
            ),
        ]
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])

    def document(self) -> dict[str, Any]:
        return asdict(self)


def measure(observed: Observed, burst: Burst, load: Load) -> Figures:
    """Count, from the executions' histories, the ledger, ECS, the functions' logs and the inbox."""
    executions = observed.executions()
    entered, called = observed.states()
    retries = {state: called[state] - entered[state] for state in sorted(called)}
    billed, mails = observed.billed(), observed.mails()
    outcomes = Counter(each["outcome"] for app in burst.pushed for each in observed.ledger(app).values())
    ended = max((each["stopDate"].timestamp() for each in executions if "stopDate" in each), default=0)
    return Figures(
        pushes=burst.pushes,
        apps=len(burst.pushed),
        pushing=burst.accepted - burst.began,
        drained=ended - burst.began,
        outcomes=dict(sorted(outcomes.items())),
        executions=len(executions),
        transitions=sum(entered.values()) + sum(retries.values()),
        retries={state: count for state, count in retries.items() if count > 0},
        revisions=sum(ALONE not in each for each in observed.revisions()),
        calls=dict(sorted(called.items())),
        # That of the app which was pushed alone is not counted.
        tasks=len(observed.tasks()) - 1,
        invocations=len(billed),
        billed=sum(billed),
        cpu=sum(load.cpu.values()),
        mails=len(mails),
        mails_in_a_second=most_within(mails, 1.0),
        processes=load.processes,
        memory=load.memory,
    )


def outcomes(observed: Observed, burst: Burst) -> dict[str, list[list[Any]]]:
    """For each app its pushes in order: the seconds until it was pushed and until it ended, and its outcome."""
    found: dict[str, list[list[Any]]] = {}
    for app, pushed in burst.pushed.items():
        known = {each["digest"]: each for each in observed.ledger(app).values()}
        found[app] = [
            [round(at - burst.began, 1), round(each["ended_at"] - burst.began), each["outcome"]]
            for at, digest in pushed
            if (each := known.get(digest))
        ]
    return found


def violations(observed: Observed, burst: Burst) -> list[str]:
    """The conditions that must hold at the end and do not."""
    found = []
    live = defaultdict(list)
    for each in running(observed.cloud.settings):
        live[each.app].append(each)
    for app in burst.pushed:
        digests, known = burst.digests(app), observed.ledger(app)
        if len(known) != len(digests):
            found.append(f"{app}: {len(known)} of {len(digests)} pushes are in the ledger")
        if any(not each["outcome"] for each in known.values()):
            found.append(f"{app}: a push has no outcome")
        if [each.digest for each in live[app]] != [digests[-1]]:
            names = [_version_of(each.digest, digests) for each in live[app]]
            verdicts = [
                f"{_version_of(each['digest'], digests)} is {each['outcome']} ({each['reason']})"
                for each in known.values()
            ]
            found.append(f"{app}: not the last version is live, but {names}; {', '.join(verdicts)}")
        elif not _answers(live[app][0].url):
            found.append(f"{app}: {live[app][0].url} does not answer")
    unknown = live.keys() - burst.pushed.keys() - {ALONE}
    if unknown:
        found.append(f"tasks of no app: {sorted(unknown)}")
    containers, tasks = len(observed.containers()), sum(map(len, live.values()))
    if containers != tasks:
        found.append(f"{containers} containers for {tasks} tasks")
    statuses = Counter(each["status"] for each in observed.executions())
    if set(statuses) - {"SUCCEEDED"}:
        found.append(f"executions: {dict(statuses)}")
    if (most := most_within(observed.mails(), 1.0)) > quotas.MAILS_PER_SECOND:
        found.append(f"{most} mails in a second")
    return found


def _version_of(digest: str, digests: list[str]) -> str:
    return f"{digests.index(digest) + 1} of {len(digests)}" if digest in digests else "an unknown version"


def _answers(url: str) -> bool:
    found = re.fullmatch(r"http://([\d.]+):(\d+)/", url)
    if not found:
        return False
    connection = http.client.HTTPConnection(found[1], int(found[2]), timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
