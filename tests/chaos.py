"""What goes wrong around a stack, and what it made of that, as the promises read it."""

import contextlib
import json
import random
import subprocess
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import psutil
from botocore.exceptions import ClientError
from deployer.aws import ledger_keys
from deployer.aws.items import plain, wire
from deployer.domain.deployment import SUPERSEDED, Current, Deployment

from localcloud.inbox import Received, read
from tests.local.conftest import eventually
from tests.local.installed import FAILS, SERVES, Installed, containers
from tests.promises import DIGEST, GIVEN_UP, Mailed, Pushed, Ran, World, broken

# What the process of a function runs.
BOOTSTRAP = "lambda_bootstrap"


@dataclass
class Chaos:
    """What is done to a stack, and what it makes of that."""

    stack: Installed
    # Makes a share of all calls of the functions fail, from 0 to 1.
    faults: Callable[[float], None]
    dice: random.Random
    pushed: dict[str, list[Pushed]] = field(default_factory=lambda: defaultdict(list))
    aborted: dict[str, str] = field(default_factory=dict)

    def upload(self, app: str, good: bool) -> dict[str, Any]:
        """An image with all that belongs to it, but the tag that starts its deployment."""
        cloud = self.stack.cloud
        command = ["sh", "-c", f": {uuid.uuid4()}; {SERVES if good else FAILS}"]
        return cloud.manifest(app, cloud.push(app, command))

    def push(self, app: str, manifest: dict[str, Any], good: bool) -> None:
        digest = self.stack.cloud.put_manifest(app, manifest, "latest")
        # Only the digest says which deployment is of which push.
        self.pushed[app].append(Pushed("", app, "latest", digest, good, second=len(self.pushed[app])))

    def abort_one(self) -> None:
        workflow = self.stack.cloud.client("stepfunctions")
        running = self.running()
        if running:
            arn = self.dice.choice(running)
            push = json.loads(workflow.describe_execution(executionArn=arn)["input"])
            with contextlib.suppress(ClientError):
                workflow.stop_execution(executionArn=arn, cause="chaos")
                self.aborted[arn] = push["detail"]["image-digest"]

    def kill_one(self) -> None:
        running = containers(self.stack.cloud.port)
        if running:
            subprocess.run(["docker", "kill", self.dice.choice(running)], capture_output=True)

    def sweep(self) -> dict[str, Any]:
        """What the sweep did; `{"sweep": ...}` if it failed itself."""
        function = self.stack.resources["ReconcileFunction"]
        said = self.stack.cloud.client("lambda").invoke(FunctionName=function, Payload=b'{"id": "now"}')
        done: dict[str, Any] = json.loads(said["Payload"].read())
        return {"sweep": done} if "FunctionError" in said else done

    def kill_function(self) -> None:
        """End the process of a function, in mid-step if it runs."""
        assert self.stack.cloud.process is not None
        server = psutil.Process(self.stack.cloud.process.pid)
        with contextlib.suppress(psutil.Error, IndexError):
            workers = [
                each for each in server.children(recursive=True) if BOOTSTRAP in " ".join(each.cmdline())
            ]
            self.dice.choice(workers).kill()

    def play(self, apps: list[str], pushes: int, share: float) -> int:
        """Push each app some times while calls fail, things crash and executions are aborted, then settle.

        Returns how many sweeps found something to do once nothing failed any more.
        """
        self.faults(0.0)
        plan = [(app, self.dice.random() < 0.7) for app in apps * pushes]
        uploads = [(app, self.upload(app, good), good) for app, good in plan]
        self.faults(share)
        for turn, (app, manifest, good) in enumerate(uploads):
            self.push(app, manifest, good)
            time.sleep(self.dice.uniform(0, 0.5))
            if turn % 3 == 2:
                self.dice.choice([self.abort_one, self.kill_one, self.kill_function, self.sweep])()
        return self.settle()

    def settle(self) -> int:
        """Until nothing is under way, and the sweep, of whose calls none fails, finds nothing more to do."""
        sweeps = 0

        def swept() -> bool:
            nonlocal sweeps
            done = self.sweep()
            sweeps += done != {} and "skipped" not in done
            return done == {} and not self.running()

        eventually(lambda: not self.running(), within=240, every=0.2)
        self.faults(0.0)
        eventually(swept, within=240, every=0.2)
        return sweeps

    # What it came to

    def running(self) -> list[str]:
        """The executions that have not ended."""
        workflow, machine = self.stack.cloud.client("stepfunctions"), self.stack.outputs["StateMachineArn"]
        listed = workflow.list_executions(stateMachineArn=machine, statusFilter="RUNNING", maxResults=1000)
        return [each["executionArn"] for each in listed["executions"]]

    def ledger(self, app: str) -> dict[str, dict[str, Any]]:
        """The items of an app's partition, by sort key."""
        answer = self.stack.cloud.client("dynamodb").query(
            TableName=self.stack.resources["Ledger"],
            KeyConditionExpression="pk = :app",
            ExpressionAttributeValues=wire({":app": ledger_keys.partition(app)}),
            ConsistentRead=True,
        )
        return {item["sk"]: item for item in map(plain, answer["Items"])}

    def broken(self, app: str) -> list[str]:
        """The promises that do not hold."""
        items = self.ledger(app)
        unknown = [
            push.digest
            for push in self.pushed[app]
            if push.digest not in {item.get("digest") for item in items.values()}
        ]
        # One that was aborted before it began is deployed by a sweep two minutes later.
        lost = [f"{digest} is not in the ledger" for digest in unknown if digest not in self.aborted.values()]
        return [*lost, *broken(self.world(app, items))]

    def world(self, app: str, items: dict[str, dict[str, Any]]) -> World:
        """What there is of an app, as the promises read it."""
        deployments = [
            _deployment(item) for name, item in items.items() if name.startswith(ledger_keys.DEPLOYMENT)
        ]
        current = {app: _current(items["current"])} if "current" in items else {}
        tasks = {each.task: each for each in deployments if each.task}
        good = {push.digest: push.good for push in self.pushed[app]}
        live = self.live(app)
        return World(
            pushes=[
                replace(push, good=push.good and push.digest not in self.aborted.values())
                for push in self.pushed[app]
            ],
            mails=[
                _mailed(mail, deployments)
                for mail in read(self.stack.settings.inbox)
                if mail.attributes["app"] == app
            ],
            tasks=[
                Ran(arn, app, each.deployment, each.digest, arn in live, answered=good[each.digest])
                for arn, each in tasks.items()
            ]
            + [Ran(arn, app, "", "", lives=True, answered=False) for arn in live if arn not in tasks],
            current=current,
            deployments={app: deployments},
            tags={(app, "latest"): self.pushed[app][-1].digest},
            open={app: items.get("order", {}).get("open", set())},
        )

    def live(self, app: str) -> list[str]:
        ecs, cluster = self.stack.cloud.client("ecs"), self.stack.outputs["ClusterArn"]
        arns: list[str] = ecs.list_tasks(cluster=cluster, family=f"portcall_{app}")["taskArns"]
        return arns


def _deployment(item: dict[str, Any]) -> Deployment:
    at, name = ledger_keys.time_and_deployment(item["sk"])
    facts = {each.name: item[each.name] for each in fields(Deployment) if each.name in item}
    return Deployment(**{**facts, "deployment": name, "time": at})


def _current(item: dict[str, Any]) -> Current:
    return Current(**{each.name: item[each.name] for each in fields(Current) if each.name in item})


def _mailed(mail: Received, deployments: list[Deployment]) -> Mailed:
    outcome = GIVEN_UP if "is down" in mail.subject else mail.attributes["outcome"]
    digests = DIGEST.findall(mail.text)
    if outcome == SUPERSEDED:
        # It may be about several; the newest is the first.
        name = next(each.deployment for each in deployments if each.digest == digests[0])
    else:
        name = _fact(mail, "Deployment")
    return Mailed(mail.attributes["app"], name, outcome, digests=frozenset(digests))


def _fact(mail: Received, name: str) -> str:
    (line,) = (line for line in mail.text.splitlines() if line.startswith(f"{name}: "))
    return line.removeprefix(f"{name}: ").strip()
