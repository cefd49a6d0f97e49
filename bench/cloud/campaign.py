"""A stack whose functions call AWS through microburst, which injects faults into a share of their calls."""

import contextlib
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from localcloud.machine.docker_engine import ensure_engine, stop_engine
from localcloud.settings import PROJECT
from localcloud.stack import install
from tests.chaos import BOOTSTRAP, Chaos
from tests.local.conftest import Cloud, eventually, forget_images, free_port, start_cloud
from tests.local.installed import Installed

# EventBridge's behaviour: late, out of order, and twice.
SWITCHES = "late-events targets-twice"
# Every state but those that somebody must ask for is on the way of some push.
PARAMETERS = {
    "RepositoryPattern": "chaos-*",
    "StableUrl": "on",
    "BlockOnFindings": "critical",
    # Longer than one look of CheckHealth, so that silent apps come to ReadLog.
    "HealthTimeout": "40",
}
# For how many seconds the workflow waits for a task's event before it asks ECS; the template says 300.
TASK_EVENT_SECONDS = 60
# Each service's throttling error, by microburst's name.
THROTTLED = {
    "apigateway": ("TooManyRequestsException", 429),
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "ec2": ("RequestLimitExceeded", 503),
    "ecr": ("ThrottlingException", 400),
    "ecs": ("ThrottlingException", 400),
    "events": ("ThrottlingException", 400),
    "logs": ("ThrottlingException", 400),
    "sns": ("Throttling", 400),
    "ssm": ("ThrottlingException", 400),
    "stepfunctions": ("ThrottlingException", 400),
}
# These calls have no idempotency token: if an answer is lost, the mail or the event is sent twice.
SENT_TWICE = ("events", "sns")


def rules(share: float) -> list[dict[str, Any]]:
    """microburst's rules. It uses the first rule that fires, so each of five kinds has a fifth of the share."""
    chances = [share / 5 / (1 - number * share / 5) for number in range(5)]
    failed = {"error": {"code": "InternalFailure", "status": 500}}
    slow = {"latency": {"min": 500, "max": 2500}}
    lost = {"response": {"abort_bytes": 0}}
    return [
        *(
            {"service": service, "probability": chances[0], "error": {"code": code, "status": status}}
            for service, (code, status) in THROTTLED.items()
        ),
        {"service": "*", "probability": chances[1], **failed},
        {"service": "*", "probability": chances[2], **slow},
        {"service": "*", "probability": chances[3], "reset": True},
        *(
            {"service": service, "probability": chances[4], **lost}
            for service in THROTTLED
            if service not in SENT_TWICE
        ),
    ]


class Proxy:
    """microburst in front of a port."""

    def __init__(self, upstream: int, port: int, seed: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        # It has no option for a seed.
        code = f"import random; random.seed({seed}); from microburst.cli import main; main()"
        command = [
            sys.executable,
            "-c",
            code,
            "--upstream",
            f"http://127.0.0.1:{upstream}",
            "--port",
            str(port),
        ]
        with log.open("wb") as output:
            self.process = subprocess.Popen([*command, "--no-resign"], stdout=output, stderr=output)
        eventually(self._answers, within=60)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self.ask("GET", "health"))
        return False

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_microburst/{path}", data, method=method)  # noqa: S310 - its own
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - its own
            return json.loads(answer.read() or b"null")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


@dataclass
class Campaign:
    """A stack, and the actions on it."""

    chaos: Chaos
    cloud: Cloud
    proxy: Proxy

    def faults(self, share: float) -> None:
        """Inject faults into this share of all calls; inside the cloud, see bench/servers/faulty.py."""
        self.proxy.ask("POST", "rules", rules(share) if share else [])
        self.cloud.request("PUT", f"/_faults/{share}")

    def happened(self) -> dict[str, Any]:
        """What went wrong inside the cloud so far, which the promises take into account."""
        said: dict[str, Any] = json.loads(self.cloud.request("GET", "/_faults/")[1])
        self.chaos.lost = {each["digest"] for each in said["lost"] if each["digest"]}
        self.chaos.died = {deployment for _, deployment, _ in said["died"] if deployment}
        workflow = self.cloud.client("stepfunctions")
        for execution, _state in said["aborted"]:
            if execution not in self.chaos.aborted:
                document = json.loads(workflow.describe_execution(executionArn=execution)["input"])
                self.chaos.aborted[execution] = document["detail"]["image-digest"]
        return said

    def spoiled(self) -> dict[str, int]:
        """The calls into which microburst injected a fault, by service and kind."""
        fired = Counter(
            # Of a delay, the milliseconds do not matter.
            f"{each['service']} {re.sub(':[0-9]+ms', '', each['action'])}"
            for each in self.proxy.ask("GET", "fired?limit=1000000")
        )
        return dict(sorted(fired.items()))

    def cpu(self) -> dict[str, int]:
        """The seconds of CPU so far, of what still runs."""
        assert self.cloud.process is not None
        server = psutil.Process(self.cloud.process.pid)
        # Of the children that have ended too.
        functions = server.cpu_times().children_user + server.cpu_times().children_system
        for each in server.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if BOOTSTRAP in " ".join(each.cmdline()):
                    functions += sum(each.cpu_times()[:2])
        proxy = psutil.Process(self.proxy.process.pid)
        return {
            "cloud": round(sum(server.cpu_times()[:2])),
            "microburst": round(sum(proxy.cpu_times()[:2])),
            "functions": round(functions),
        }


@contextlib.contextmanager
def campaign(seed: int) -> Iterator[Campaign]:
    """Install the stack in a separate cloud, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="portcall-faults-"))
    ensure_engine(folder, say)
    port = free_port()
    cloud = start_cloud(
        folder,
        through=("bench.servers.faulty",),
        PYTHONPATH=str(PROJECT),
        PROXY_HOST=f"127.0.0.1:{port}",
        FAULTS_SEED=str(seed),
        PORTCALL_SWITCHES=SWITCHES,
    )
    proxy = None
    try:
        proxy = Proxy(cloud.port, port, seed, folder / "microburst.log")
        stack = Installed(cloud)
        install(stack.settings, say, PARAMETERS)
        _call_through(proxy, cloud)
        dice = random.Random(seed)  # noqa: S311 - a campaign is played again by its seed
        made = Campaign(Chaos(stack, lambda share: made.faults(share), dice), cloud, proxy)
        made.chaos.wait_for_task_events(TASK_EVENT_SECONDS)
        yield made
    finally:
        if proxy:
            proxy.stop()
        cloud.stop()
        forget_images(cloud.port)
        stop_engine(folder, say)
    # What fails leaves its logs.
    shutil.rmtree(folder)


def _call_through(proxy: Proxy, cloud: Cloud) -> None:
    awslambda = cloud.client("lambda")
    for function in awslambda.list_functions()["Functions"]:
        variables = function["Environment"]["Variables"] | {"AWS_ENDPOINT_URL": proxy.url}
        awslambda.update_function_configuration(
            FunctionName=function["FunctionName"], Environment={"Variables": variables}
        )


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
