"""Injects faults around a stack, and collects the state for the promises."""

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
from deployer.domain.deployment import FAILED, SUPERSEDED, Current, Deployment

from localcloud.inbox import Received, read
from tests import promises
from tests.local.conftest import eventually
from tests.local.installed import FAILS, SERVES, SILENT, Installed, containers
from tests.promises import DIGEST, GIVEN_UP, Asked, Mailed, Pushed, Ran, World, broken

# The program of a function's process.
BOOTSTRAP = "lambda_bootstrap"


@dataclass(frozen=True)
class Settled:
    """What the sweeps did after the faults had ended, and the seconds until nothing was left to do."""

    sweeps: list[dict[str, Any]]
    seconds: float


@dataclass
class Chaos:
    """The faults and acts on a stack, and their result."""

    stack: Installed
    # Makes a share of all calls of the functions fail, from 0 to 1.
    faults: Callable[[float], None]
    dice: random.Random
    pushed: dict[str, list[Pushed]] = field(default_factory=lambda: defaultdict(list))
    # Execution -> its digest.
    aborted: dict[str, str] = field(default_factory=dict)
    # The digests of pushes whose event was lost, and of containers that were killed.
    lost: set[str] = field(default_factory=set)
    killed: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    # Deployments of which a function died or timed out. SNS has no token, so their email may be sent again.
    died: set[str] = field(default_factory=set)
    sent_twice: set[str] = field(default_factory=set)
    # The share of broken images that never answer; the others crash at once.
    silent: float = 0.0
    # How many pushes of signatures come with each push.
    signatures: float = 0.0
    signed: dict[str, list[Pushed]] = field(default_factory=lambda: defaultdict(list))
    # The most executions that run while more is pushed.
    most_at_once: int = 1000
    # Seconds within which everything must have an outcome.
    settles_within: float = 240.0
    # Seconds after the last push until a sweep counts its event as lost; 0 does not wait for that.
    events_within: float = 0.0
    # Seconds between two looks whether all is settled, each of which runs the sweep.
    looks_every: float = 0.2

    def wait_for_task_events(self, seconds: int) -> None:
        """Let the workflow wait so long for a task's event before it asks ECS; the template says 300."""
        workflow, machine = self.stack.cloud.client("stepfunctions"), self.stack.outputs["StateMachineArn"]
        definition = json.loads(workflow.describe_state_machine(stateMachineArn=machine)["definition"])
        definition["States"]["WaitForRunning"]["TimeoutSeconds"] = seconds
        workflow.update_state_machine(stateMachineArn=machine, definition=json.dumps(definition))

    def upload(self, app: str, good: bool) -> dict[str, Any]:
        """Upload an image with all layers, but without the tag that starts its deployment."""
        cloud = self.stack.cloud
        bad = SILENT if self.silent and self.dice.random() < self.silent else FAILS
        command = ["sh", "-c", f": {uuid.uuid4()}; {SERVES if good else bad}"]
        return cloud.manifest(app, cloud.push(app, command))

    def push(self, app: str, manifest: dict[str, Any], good: bool) -> None:
        digest = self.stack.cloud.put_manifest(app, manifest, "latest")
        # Only the digest connects a deployment with its push.
        self.pushed[app].append(Pushed("", app, "latest", digest, good, second=len(self.pushed[app])))

    def sign(self, app: str) -> None:
        """Push a signature, under a separate tag."""
        kinds = [f"application/vnd.dev.cosign.{each}.v1+json" for each in ("artifact.sig", "simplesigning")]
        digest = self.stack.cloud.push_artifact(app, *kinds, "signature")
        self.signed[app].append(Pushed("", app, "signature", digest, good=False, is_app=False))

    def stop(self, app: str) -> None:
        """Stop an app: from now on its pushes are only recorded."""
        asked = {"action": "stop", "app": app, "id": uuid.uuid4().hex}
        function = self.stack.resources["OperateFunction"]
        said = self.stack.cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(asked))
        self.asked.append(Asked(app, "stop", json.loads(said["Payload"].read())["status"]))

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
            container = self.dice.choice(running)
            image = ["docker", "inspect", "--format", "{{.Config.Image}}", container]
            self.killed |= set(DIGEST.findall(subprocess.run(image, capture_output=True, text=True).stdout))
            subprocess.run(["docker", "kill", container], capture_output=True)

    def sweep(self) -> dict[str, Any]:
        """Run the sweep; return what it did, or `{"sweep": ...}` if it failed."""
        function = self.stack.resources["ReconcileFunction"]
        said = self.stack.cloud.client("lambda").invoke(FunctionName=function, Payload=b'{"id": "now"}')
        done: dict[str, Any] = json.loads(said["Payload"].read())
        return {"sweep": done} if "FunctionError" in said else done

    def kill_function(self) -> None:
        """Kill the process of a function, even while it runs."""
        assert self.stack.cloud.process is not None
        server = psutil.Process(self.stack.cloud.process.pid)
        with contextlib.suppress(psutil.Error, IndexError):
            workers = [
                each for each in server.children(recursive=True) if BOOTSTRAP in " ".join(each.cmdline())
            ]
            self.dice.choice(workers).kill()

    def play(self, apps: list[str], pushes: int, share: float) -> "Settled":
        """Push each app several times while calls fail, tasks crash and executions are aborted, then settle."""
        self.faults(0.0)
        plan = [(app, self.dice.random() < 0.7) for app in apps * pushes]
        uploads = [(app, self.upload(app, good), good) for app, good in plan]
        self.faults(share)
        for turn, (app, manifest, good) in enumerate(uploads):
            eventually(lambda: len(self.running()) < self.most_at_once, within=self.settles_within, every=0.3)
            self.push(app, manifest, good)
            if self.dice.random() < self.signatures:
                self.sign(app)
            time.sleep(self.dice.uniform(0, 0.5))
            if turn % 3 == 2:
                self.dice.choice([self.abort_one, self.kill_one, self.kill_function, self.sweep])()
        return self.settle()

    def settle(self) -> "Settled":
        """Wait until no deployment is in progress, and the sweep, without faults, finds nothing to do."""
        pushed = time.monotonic()
        eventually(lambda: not self.running(), within=self.settles_within, every=0.2)
        self.faults(0.0)
        time.sleep(max(0.0, pushed + self.events_within - time.monotonic()))
        began, did = time.monotonic(), []

        def swept() -> bool:
            if self.running():
                return False
            done = self.sweep()
            if done and "skipped" not in done:
                did.append(done)
            return done == {} and not self.running() and not self.unmailed()

        eventually(swept, within=self.settles_within, every=self.looks_every)
        return Settled(did, round(time.monotonic() - began, 1))

    def unmailed(self) -> bool:
        """Whether a superseded push is forgotten until a sweep mails it, two minutes after its execution ended."""
        waiting = [app for app in self.pushed if self.ledger(app).get("order", {}).get("unmailed")]
        inbox = list(read(self.stack.settings.inbox)) if waiting else []
        forgotten = promises.a_superseded_push_is_not_forgotten.__name__
        return any(each.startswith(forgotten) for app in waiting for each in self.broken(app, inbox))

    # The result

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

    def broken(self, app: str, inbox: list[Received] | None = None) -> list[str]:
        """The broken promises. A caller that asks for many apps reads the inbox once."""
        items = self.ledger(app)
        unknown = [
            push.digest
            for push in self.pushed[app]
            if push.digest not in {item.get("digest") for item in items.values()}
        ]
        # Pushes whose event was lost, or that were aborted before they began: a sweep finds the newest after
        # two minutes.
        spared = {*self.aborted.values(), *self.lost}
        if self.events_within:
            spared.discard(self.pushed[app][-1].digest)
        lost = [f"{digest} is not in the ledger" for digest in unknown if digest not in spared]
        mails = list(read(self.stack.settings.inbox)) if inbox is None else inbox
        return [*lost, *broken(self.world(app, items, mails))]

    def world(self, app: str, items: dict[str, dict[str, Any]], inbox: list[Received]) -> World:
        """The state of an app, for the promises."""
        deployments = [
            _deployment(item) for name, item in items.items() if name.startswith(ledger_keys.DEPLOYMENT)
        ]
        current = {app: _current(items["current"])} if "current" in items else {}
        started = self.started(app) | {each.task: each.deployment for each in deployments if each.task}
        digests = {each.deployment: each.digest for each in deployments}
        good = {push.digest: push.good for push in self.pushed[app]}
        live = self.live(app)
        failed = {each.digest for each in deployments if each.outcome == FAILED}
        # A good push may fail if its container was killed before it answered.
        spoiled = {*self.aborted.values(), *(self.killed & failed)}
        return World(
            pushes=[
                *self.signed[app],
                *(replace(push, good=push.good and push.digest not in spoiled) for push in self.pushed[app]),
            ],
            mails=self._once([_mailed(each, deployments) for each in inbox if each.attributes["app"] == app]),
            tasks=[
                Ran(arn, app, name, digest, arn in live, answered=good.get(digest, False))
                for arn, name in started.items()
                for digest in [digests.get(name, "")]
            ],
            current=current,
            deployments={app: deployments},
            tags={(each.app, each.tag): each.digest for each in (*self.signed[app], *self.pushed[app])},
            open={app: items.get("order", {}).get("open", set())},
            asked=[each for each in self.asked if each.app == app],
        )

    def _once(self, mails: list[Mailed]) -> list[Mailed]:
        """Without those that a function sent again after it had died."""
        found: dict[tuple[str, str, int], Mailed] = {}
        for number, mail in enumerate(mails):
            may_repeat = mail.deployment in self.died
            known = (mail.deployment, mail.outcome, 0 if may_repeat else number)
            self.sent_twice |= {mail.deployment} if known in found else set()
            found.setdefault(known, mail)
        return list(found.values())

    def live(self, app: str, status: str = "RUNNING") -> list[str]:
        ecs, cluster = self.stack.cloud.client("ecs"), self.stack.outputs["ClusterArn"]
        listed = ecs.list_tasks(cluster=cluster, family=f"portcall_{app}", desiredStatus=status)
        arns: list[str] = listed["taskArns"]
        return arns

    def started(self, app: str) -> dict[str, str]:
        """Every task of an app in ECS -> the deployment that started it."""
        arns = [*self.live(app), *self.live(app, "STOPPED")]
        ecs, cluster = self.stack.cloud.client("ecs"), self.stack.outputs["ClusterArn"]
        parts = [arns[begin : begin + 100] for begin in range(0, len(arns), 100)]
        answers = [ecs.describe_tasks(cluster=cluster, tasks=part)["tasks"] for part in parts]
        return {each["taskArn"]: each["startedBy"] for answer in answers for each in answer}


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
        # It may be about several deployments; the newest is the first.
        name = next(each.deployment for each in deployments if each.digest == digests[0])
    else:
        name = _fact(mail, "Deployment")
    return Mailed(mail.attributes["app"], name, outcome, digests=frozenset(digests))


def _fact(mail: Received, name: str) -> str:
    (line,) = (line for line in mail.text.splitlines() if line.startswith(f"{name}: "))
    return line.removeprefix(f"{name}: ").strip()
