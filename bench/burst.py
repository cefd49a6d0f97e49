"""A burst: many pushes of many apps at once, the AWS calls that it takes, and whether the result is right."""

import contextlib
import functools
import hashlib
import http.client
import json
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil

from bench.setting import MANIFEST, Setting
from localcloud.apps import running

APPS = 50
PUSHES_OF_EACH = 4
PATTERN = "bench-*"
# Seconds until every push must have its outcome.
SETTLES_WITHIN = 900.0
# The account's quota of task definitions: this many at once, then one a second.
REGISTER_BURST = 20
# SNS disables an email subscription that gets more in a second.
MAILS_A_SECOND = 10
MEMORY_GB = 1.0
CONFIG = "application/vnd.docker.container.image.v1+json"


@dataclass
class Burst:
    """What was pushed, and when. `pushed` has each app's digests in order; times are UNIX seconds."""

    began: float = 0.0
    accepted: float = 0.0
    pushed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class Figures:
    """The figures of the burst. Times are in seconds."""

    pushes: int
    pushing: float
    settled: float
    outcomes: Counter[str]
    executions: int
    transitions: int
    retries: int
    revisions: int
    calls: Counter[str]
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
        deployed = self.outcomes["deployed"]
        rows = [
            ("pushes, and the time that the registry took for them", f"{self.pushes} in {self.pushing:.1f} s"),
            ("until the last execution ended", f"{self.settled:.1f} s"),
            (
                "sustained",
                f"{self.pushes / self.settled:.1f} pushes/s, {deployed / self.settled:.1f} deployments/s",
            ),
            ("outcomes", ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))),
            ("executions", str(self.executions)),
            (
                "state transitions, retries included",
                f"{self.transitions} ({self.transitions / self.pushes:.1f} per push)",
            ),
            ("retries of a state", str(self.retries)),
            (
                "RegisterTaskDefinition calls",
                f"{self.calls['RegisterTaskDefinition']}, {self.revisions} revisions; "
                f"AWS needs {max(0, self.revisions - REGISTER_BURST)} s for them",
            ),
            ("RunTask calls", f"{self.calls['RunTask']}, {self.tasks} tasks"),
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


def main() -> None:
    """Print the table and all violations; exit 1 if there are any."""
    with Setting({"RepositoryName": "bench-idle", "RepositoryPattern": PATTERN}) as setting:
        manifests = prepare(setting)
        burst = push(setting, manifests)
        load = wait(setting, burst)
        figures = measure(setting, burst, load)
        print(f"## A burst: {figures.pushes} pushes over {len(burst.pushed)} apps\n")
        print(figures.table())
        broken = violations(setting, burst)
        print("\nEvery invariant holds." if not broken else "\nBROKEN:")
        for each in broken:
            print(f"- {each}")
    if broken:
        sys.exit(1)


# The pushes


def prepare(setting: Setting) -> dict[str, list[bytes]]:
    """Create the repositories with all layers; return each app's manifests, all of them different."""
    ecr = setting.client("ecr")
    image = json.loads(setting.manifest)
    with _registry(setting) as registry:
        config = json.loads(registry.get(f"/v2/flask-app/blobs/{image['config']['digest']}"))
        manifests: dict[str, list[bytes]] = {}
        for number in range(APPS):
            app = f"bench-{number:02}"
            ecr.create_repository(repositoryName=app)
            for layer in image["layers"]:
                registry.post(f"/v2/{app}/blobs/uploads/?mount={layer['digest']}&from=flask-app")
            manifests[app] = [_version(registry, app, image, config, each) for each in range(PUSHES_OF_EACH)]
    return manifests


def _version(
    registry: "_Registry", app: str, image: dict[str, Any], config: dict[str, Any], number: int
) -> bytes:
    labelled = {**config, "config": {**config["config"], "Labels": {"version": f"{app} {number}"}}}
    blob = json.dumps(labelled).encode()
    registry.post(f"/v2/{app}/blobs/uploads/?digest={_digest(blob)}", blob)
    described = {"mediaType": image["config"]["mediaType"], "digest": _digest(blob), "size": len(blob)}
    return json.dumps({**image, "config": described}).encode()


def push(setting: Setting, manifests: dict[str, list[bytes]]) -> Burst:
    """Push every app's first version, then every app's second, and so on, one right after the other."""
    burst = Burst(began=time.time())
    with _registry(setting) as registry:
        for number in range(PUSHES_OF_EACH):
            for app, versions in manifests.items():
                registry.put(f"/v2/{app}/manifests/latest", versions[number])
                burst.pushed[app].append(_digest(versions[number]))
    burst.accepted = time.time()
    return burst


@contextlib.contextmanager
def _registry(setting: Setting) -> Iterator["_Registry"]:
    connection = http.client.HTTPConnection("127.0.0.1", setting.settings.port, timeout=60)
    with contextlib.closing(connection):
        yield _Registry(connection)


@dataclass(frozen=True)
class _Registry:
    """The registry's HTTP API, over one connection."""

    connection: http.client.HTTPConnection

    def get(self, path: str) -> bytes:
        return self._ask("GET", path, None, 200)

    def post(self, path: str, body: bytes | None = None) -> None:
        self._ask("POST", path, body, 201)

    def put(self, path: str, manifest: bytes) -> None:
        self._ask("PUT", path, manifest, 201)

    def _ask(self, method: str, path: str, body: bytes | None, expected: int) -> bytes:
        kind = json.loads(body).get("mediaType", MANIFEST) if method == "PUT" and body else CONFIG
        self.connection.request(method, path, body, {"Content-Type": kind})
        answer = self.connection.getresponse()
        said = answer.read()
        assert answer.status == expected, (method, path, answer.status, said)
        return said


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


# The result


def wait(setting: Setting, burst: Burst) -> "Load":
    """Wait until each push has an execution and none runs; return the load of the machine."""
    expected = sum(map(len, burst.pushed.values()))
    deadline = time.monotonic() + SETTLES_WITHIN
    load = Load()
    while time.monotonic() < deadline:
        ended = Counter(each["status"] for each in _executions(setting))
        _say(f"{dict(ended)}")
        load.look(setting)
        if sum(ended.values()) >= expected and not ended["RUNNING"]:
            break
        time.sleep(1)
    return load


@dataclass
class Load:
    """The highest number of function processes and of bytes, and the CPU seconds of each process."""

    processes: int = 0
    memory: float = 0.0
    cpu: dict[int, float] = field(default_factory=dict)

    def look(self, setting: Setting) -> None:
        """Measure the cloud's process and those of the functions."""
        server = psutil.Process(int((setting.settings.state_dir / "cloud.pid").read_text()))
        memory, functions = float(server.memory_info().rss), 0
        for child in server.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                memory += child.memory_info().rss
                self.cpu[child.pid] = sum(child.cpu_times()[:2])
                functions += 1
        self.processes, self.memory = max(self.processes, functions), max(self.memory, memory)


def measure(setting: Setting, burst: Burst, load: Load) -> Figures:
    """Count, from the executions' histories, the ledger, ECS, the functions' logs and the inbox."""
    executions = _executions(setting)
    entered, scheduled = Counter[str](), Counter[str]()
    for execution in executions:
        for kind, state in _history(setting, execution["executionArn"]):
            (entered if kind == "entered" else scheduled)[state] += 1
    retries = sum(max(0, scheduled[state] - entered[state]) for state in scheduled)
    billed = [float(each) for each in _reports(setting)]
    mails = sorted(path.stat().st_mtime for path in (setting.settings.inbox / "new").iterdir())
    outcomes = Counter(each["outcome"] for app in burst.pushed for each in ledger(setting, app).values())
    ended = max((each["stopDate"].timestamp() for each in executions if "stopDate" in each), default=0)
    return Figures(
        pushes=sum(map(len, burst.pushed.values())),
        pushing=burst.accepted - burst.began,
        settled=ended - burst.began,
        outcomes=outcomes,
        executions=len(executions),
        transitions=sum(entered.values()) + retries,
        retries=retries,
        revisions=len(_revisions(setting)),
        calls=scheduled,
        tasks=len(_tasks(setting)),
        invocations=len(billed),
        billed=sum(billed) / 1000,
        mails=len(mails),
        mails_in_a_second=most_within(mails, 1.0),
        cpu=sum(load.cpu.values()),
        processes=load.processes,
        memory=load.memory,
    )


def violations(setting: Setting, burst: Burst) -> list[str]:
    """The conditions that must hold at the end and do not."""
    found = []
    live = defaultdict(list)
    for each in running(setting.settings):
        live[each.app].append(each)
    for app, digests in burst.pushed.items():
        known = ledger(setting, app)
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
    strangers = live.keys() - burst.pushed.keys()
    if strangers:
        found.append(f"tasks of no app: {sorted(strangers)}")
    containers, tasks = len(_containers(setting)), sum(map(len, live.values()))
    if containers != tasks:
        found.append(f"{containers} containers for {tasks} tasks")
    statuses = Counter(each["status"] for each in _executions(setting))
    if set(statuses) - {"SUCCEEDED"}:
        found.append(f"executions: {dict(statuses)}")
    return found


def _version_of(digest: str, digests: list[str]) -> str:
    return f"{digests.index(digest) + 1} of {len(digests)}" if digest in digests else "a stranger"


def most_within(times: list[float], seconds: float) -> int:
    """The largest number of the sorted `times` within `seconds`."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def ledger(setting: Setting, app: str) -> dict[str, dict[str, str]]:
    """The ledger's record of each push of an app, by the event's id."""
    pages = (
        setting.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=_function(setting)["Environment"]["Variables"]["LEDGER_TABLE"],
            KeyConditionExpression="pk = :app AND begins_with(sk, :deployment)",
            ExpressionAttributeValues={":app": {"S": f"app#{app}"}, ":deployment": {"S": "deployment#"}},
            ConsistentRead=True,
        )
    )
    names = ("digest", "outcome", "reason")
    return {
        item["sk"]["S"].rpartition("#")[2]: {name: item.get(name, {}).get("S", "") for name in names}
        for page in pages
        for item in page["Items"]
    }


@functools.cache
def _function(setting: Setting) -> Any:
    """The configuration of one function; all functions share the values that are used here."""
    functions = setting.client("lambda").list_functions()["Functions"]
    return next(each for each in functions if "AdmitPush" in each["FunctionName"])


def _executions(setting: Setting) -> list[dict[str, Any]]:
    pages = (
        setting.client("stepfunctions")
        .get_paginator("list_executions")
        .paginate(stateMachineArn=setting.outputs["StateMachineArn"])
    )
    return [each for page in pages for each in page["executions"]]


def _history(setting: Setting, execution: str) -> Iterator[tuple[str, str]]:
    """`("entered", state)` for each entered state, `("scheduled", state)` for each call of a function."""
    pages = (
        setting.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
    )
    state = ""
    for page in pages:
        for event in page["events"]:
            if "stateEnteredEventDetails" in event:
                state = event["stateEnteredEventDetails"]["name"]
                yield "entered", state
            elif event["type"] in ("TaskScheduled", "LambdaFunctionScheduled"):
                yield "scheduled", state


def _revisions(setting: Setting) -> list[str]:
    pages = setting.client("ecs").get_paginator("list_task_definitions").paginate()
    return [arn for page in pages for arn in page["taskDefinitionArns"]]


def _tasks(setting: Setting) -> list[str]:
    """All tasks that ECS still knows, running or stopped."""
    ecs, cluster = setting.client("ecs"), setting.outputs["ClusterArn"]
    pages = [
        page
        for status in ("RUNNING", "STOPPED")
        for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus=status)
    ]
    return [arn for page in pages for arn in page["taskArns"]]


def _reports(setting: Setting) -> Iterator[str]:
    """The milliseconds that each invocation is billed for, from the functions' log."""
    group = _function(setting)["LoggingConfig"]["LogGroup"]
    pages = (
        setting.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=group, filterPattern="REPORT")
    )
    for page in pages:
        for event in page["events"]:
            yield from re.findall(r"Billed Duration: ([\d.]+) ms", event["message"])


def _containers(setting: Setting) -> list[str]:
    """The containers of the bench's apps in this cloud, running or not yet taken away."""
    image = f"{setting.settings.registry}/bench-"
    listed = subprocess.run(
        ["docker", "ps", "--all", "--no-trunc", "--format", "{{.Image}} {{.ID}}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [line for line in listed.splitlines() if line.startswith(image)]


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


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
