"""Measures a deployment with Portcall, from the push to the mail."""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.cloud.bench_cloud import BenchCloud


@dataclass(frozen=True)
class Deployment:
    """`whole`: from the registry's acceptance of the manifest to the mail in the inbox. Seconds.

    `accepted` is the UNIX time of the former.
    `phases`: state -> how long it took, in the order in which they were entered.
    """

    whole: float
    container_start: float
    transitions: int
    phases: dict[str, float]
    accepted: float

    @property
    def own(self) -> float:
        """Portcall's own part: all but the time from RunTask's acceptance to RUNNING."""
        return self.whole - self.container_start


def deploy(cloud: BenchCloud) -> Deployment:
    """Push, wait for the mail, and read the times from the file system, ECS and Step Functions."""
    before = cloud.mails()
    known = _executions(cloud)
    cloud.push_again()
    accepted = time.time()
    mail = cloud.mail_after(before)
    arrived = mail.stat().st_mtime_ns / 1e9
    assert "is live" in mail.read_text(), mail.read_text()
    (execution,) = _executions(cloud) - known
    workflow = cloud.client("stepfunctions")
    while workflow.describe_execution(executionArn=execution)["status"] == "RUNNING":
        time.sleep(0.02)
    output = json.loads(workflow.describe_execution(executionArn=execution)["output"])
    history = workflow.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    entered = [event for event in history if "stateEnteredEventDetails" in event]
    start = _container_start(cloud, output["task"]["arn"])
    return Deployment(arrived - accepted, start, len(entered), _phases(history), accepted)


def _phases(history: list[dict[str, Any]]) -> dict[str, float]:
    """How long each state took: until the next one was entered, or the execution ended."""
    times = [
        (event["stateEnteredEventDetails"]["name"], event["timestamp"])
        for event in history
        if "stateEnteredEventDetails" in event
    ]
    ends = [at for _, at in times[1:]] + [history[-1]["timestamp"]]
    took: dict[str, float] = {}
    for (name, began), ended in zip(times, ends, strict=True):
        took[name] = took.get(name, 0.0) + (ended - began).total_seconds()
    return took


def _executions(cloud: BenchCloud) -> set[str]:
    found = cloud.client("stepfunctions").list_executions(
        stateMachineArn=cloud.outputs["StateMachineArn"], maxResults=1000
    )
    return {each["executionArn"] for each in found["executions"]}


def _container_start(cloud: BenchCloud, task: str) -> float:
    """From RunTask's acceptance to RUNNING, by ECS's own events: DescribeTasks rounds to seconds."""
    for message in cloud.task_events():
        detail = message["detail"]
        if detail["taskArn"] == task and detail["lastStatus"] == "RUNNING":
            begin, end = (datetime.fromisoformat(detail[name]) for name in ("createdAt", "startedAt"))
            return (end - begin).total_seconds()
    raise LookupError(f"No event says that {task} ran.")
