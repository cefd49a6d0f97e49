"""Measures when the app of each new task first answers over HTTP, in the same way for all ways to deploy."""

import contextlib
import http.client
import json
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.cloud.bench_cloud import BenchCloud

PORT = 3000
PAUSE_SECONDS = 0.01
GIVE_UP_SECONDS = 60.0
QUEUE = "bench-answers"


@dataclass(frozen=True)
class Answer:
    """`at` is the UNIX time of the first answer; `container_start` has seconds from RunTask to RUNNING."""

    task: str
    at: float
    container_start: float


class Answers:
    """Use it in a `with`. It gets ECS's event of each task that runs, and asks its app until it answers."""

    def __init__(self, cloud: BenchCloud) -> None:
        self._cloud = cloud
        self._found: dict[str, Answer] = {}
        self._fresh = threading.Condition()
        self._over = threading.Event()

    def __enter__(self) -> "Answers":
        self._queue = self._cloud.client("sqs").create_queue(QueueName=QUEUE)["QueueUrl"]
        running = {"lastStatus": ["RUNNING"], "desiredStatus": ["RUNNING"]}
        pattern = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": running}
        events, of = self._cloud.client("events"), self._cloud.settings
        events.put_rule(Name=QUEUE, EventPattern=json.dumps(pattern))
        arn = f"arn:aws:sqs:{of.region}:{of.account}:{QUEUE}"
        events.put_targets(Rule=QUEUE, Targets=[{"Id": "queue", "Arn": arn}])
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def known(self) -> set[str]:
        """The ARNs of the tasks that have answered so far."""
        with self._fresh:
            return set(self._found)

    def new(self, before: set[str]) -> Answer:
        """The answer of the one task that is not in `before`. Raises TimeoutError."""
        with self._fresh:
            if not self._fresh.wait_for(lambda: set(self._found) - before, GIVE_UP_SECONDS):
                raise TimeoutError("No new task has answered.")
            (task,) = set(self._found) - before
            return self._found[task]

    def _listen(self) -> None:
        sqs = self._cloud.client("sqs")
        while not self._over.is_set():
            found = sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=1, WaitTimeSeconds=1)
            for message in found.get("Messages", []):
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
                self._ask(json.loads(message["Body"])["detail"])

    def _ask(self, task: dict[str, Any]) -> None:
        address = address_of(self._cloud, task)
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            if answers(address):
                at = time.time()
                created, started = (datetime.fromisoformat(task[name]) for name in ("createdAt", "startedAt"))
                with self._fresh:
                    self._found[task["taskArn"]] = Answer(
                        task["taskArn"], at, (started - created).total_seconds()
                    )
                    self._fresh.notify_all()
                return
            time.sleep(PAUSE_SECONDS)


def address_of(cloud: BenchCloud, task: dict[str, Any]) -> str:
    """The public IP address of a task, as DescribeTasks or an event has it."""
    details = {each["name"]: each["value"] for each in task["attachments"][0]["details"]}
    interface = details["networkInterfaceId"]
    found = cloud.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])
    return str(found["NetworkInterfaces"][0]["Association"]["PublicIp"])


def answers(address: str) -> bool:
    """Whether the app there answers now."""
    connection = http.client.HTTPConnection(address, PORT, timeout=2)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
