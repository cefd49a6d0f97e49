"""Campaigns: many deployments while calls fail, functions die and executions are aborted; every report is true.

`python -m bench.faults --pushes 1000 --share 0.05 --seed 7`: microburst stands between the functions and the
embedded cloud, and throttles, fails, delays or resets that share of their calls, or loses the answer. Prints
each promise of tests/promises.py that does not hold, and exits with 1 then. bench/results/ keeps the result.
"""

import argparse
import contextlib
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import results
from localcloud.inbox import read
from localcloud.machine.docker_engine import ensure_engine
from localcloud.settings import PROJECT
from localcloud.stack import install
from tests.chaos import Chaos
from tests.local.conftest import eventually, forget_images, free_port, start_cloud
from tests.local.installed import Installed

APPS = 8
PUSHES_OF_EACH = 4
# EventBridge as it is: late, out of order, and twice.
SWITCHES = "late-events targets-twice"
# How each service throttles, by microburst's name for it.
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
# AWS knows no token for these: a mail or an event whose answer is lost goes out twice.
SENT_TWICE = ("events", "sns")


def rules(share: float) -> list[dict[str, Any]]:
    """Of microburst, which takes the first rule that fires: each of five kinds has a fifth of the share."""
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
            self._process = subprocess.Popen([*command, "--no-resign"], stdout=output, stderr=output)
        eventually(self._answers, within=60)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self.ask("GET", "health"))
        return False

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_microburst/{path}", data, method=method)  # noqa: S310 - its own
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - its own
            return json.loads(answer.read() or b"null")

    def faults(self, share: float) -> None:
        self.ask("POST", "rules", rules(share) if share else [])

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@contextlib.contextmanager
def campaign(seed: int) -> Iterator[tuple[Chaos, Proxy]]:
    """A stack whose functions call AWS through microburst."""
    folder = Path(tempfile.mkdtemp(prefix="portcall-faults-"))
    ensure_engine(folder, _say)
    port = free_port()
    cloud = start_cloud(
        folder,
        module="bench.behind_proxy",
        PYTHONPATH=str(PROJECT),
        PROXY_HOST=f"127.0.0.1:{port}",
        PORTCALL_SWITCHES=SWITCHES,
    )
    proxy = Proxy(cloud.port, port, seed, folder / "microburst.log")
    try:
        stack = Installed(cloud)
        install(stack.settings, _say, {"RepositoryPattern": "chaos-*", "HealthTimeout": "20"})
        awslambda = cloud.client("lambda")
        for function in awslambda.list_functions()["Functions"]:
            variables = function["Environment"]["Variables"] | {"AWS_ENDPOINT_URL": proxy.url}
            awslambda.update_function_configuration(
                FunctionName=function["FunctionName"], Environment={"Variables": variables}
            )
        yield Chaos(stack, proxy.faults, random.Random(seed)), proxy  # noqa: S311 - a campaign is played again by its seed
    finally:
        proxy.stop()
        cloud.stop()
        forget_images(cloud.port)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, default=100)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    apps = [f"chaos-{number}" for number in range(APPS)]
    broken: list[str] = []
    sweeps = []
    began = time.monotonic()
    with campaign(asked.seed) as (chaos, proxy):
        for app in apps:
            chaos.stack.cloud.client("ecr").create_repository(repositoryName=app)
        while sum(map(len, chaos.pushed.values())) < asked.pushes:
            sweeps.append(chaos.play(apps, PUSHES_OF_EACH, asked.share))
            broken += [each for app in apps for each in chaos.broken(app)]
            _say(f"{sum(map(len, chaos.pushed.values()))} pushes, {len(broken)} broken promises")
        fired = Counter(
            # Of a delay, the milliseconds do not matter.
            f"{each['service']} {re.sub(':[0-9]+ms', '', each['action'])}"
            for each in proxy.ask("GET", "fired?limit=1000000")
        )
        outcomes = Counter(
            item.get("outcome", "none")
            for app in apps
            for name, item in chaos.ledger(app).items()
            if name.startswith("deployment#")
        )
        result = {
            "pushes": sum(map(len, chaos.pushed.values())),
            "share": asked.share,
            "seed": asked.seed,
            "seconds": round(time.monotonic() - began),
            "calls": proxy.ask("GET", "stats")["requests"],
            "faults": dict(sorted(fired.items())),
            "outcomes": dict(sorted(outcomes.items())),
            "mails": len(list(read(chaos.stack.settings.inbox))),
            "aborted": len(chaos.aborted),
            "most sweeps with something to do": max(sweeps),
            "broken": sorted(set(broken)),
        }
    print(json.dumps(result, indent=1))
    _say(f"Kept in {results.keep(f'faults-{asked.share}', result)}")
    sys.exit(1 if broken else 0)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
