"""What an install did, read from the cloud's own APIs: executions, ledger, tasks, functions' logs, inbox."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from bench.cloud.bench_cloud import BenchCloud


class Observed:
    """Reads what happened since `since`, in UNIX seconds."""

    def __init__(self, cloud: BenchCloud, since: float) -> None:
        self.cloud, self.since = cloud, since

    @cached_property
    def _function(self) -> Any:
        """The configuration of one function; all functions share the values that are used here."""
        functions = self.cloud.client("lambda").list_functions()["Functions"]
        return next(each for each in functions if "AdmitPush" in each["FunctionName"])

    def ledger(self, app: str) -> dict[str, dict[str, Any]]:
        """The ledger's record of each push of an app, by the event's id; `ended_at` is in UNIX seconds."""
        pages = (
            self.cloud.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self._function["Environment"]["Variables"]["LEDGER_TABLE"],
                KeyConditionExpression="pk = :app AND begins_with(sk, :deployment)",
                ExpressionAttributeValues={":app": {"S": f"app#{app}"}, ":deployment": {"S": "deployment#"}},
                ConsistentRead=True,
            )
        )
        names = ("digest", "outcome", "reason")
        return {
            item["sk"]["S"].rpartition("#")[2]: {name: item.get(name, {}).get("S", "") for name in names}
            | {"ended_at": int(item.get("ended_at", {}).get("N", 0))}
            for page in pages
            for item in page["Items"]
        }

    def executions(self) -> list[dict[str, Any]]:
        pages = (
            self.cloud.client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(stateMachineArn=self.cloud.outputs["StateMachineArn"])
        )
        found = (each for page in pages for each in page["executions"])
        return [each for each in found if each["startDate"].timestamp() >= self.since]

    def states(self) -> tuple[Counter[str], Counter[str]]:
        """How often each state was entered, and how often its function was called."""
        entered, called = Counter[str](), Counter[str]()
        for execution in self.executions():
            for kind, state in self._history(execution["executionArn"]):
                (entered if kind == "entered" else called)[state] += 1
        return entered, called

    def _history(self, execution: str) -> Iterator[tuple[str, str]]:
        pages = self.cloud.client("stepfunctions").get_paginator("get_execution_history")
        state = ""
        for page in pages.paginate(executionArn=execution):
            for event in page["events"]:
                if "stateEnteredEventDetails" in event:
                    state = event["stateEnteredEventDetails"]["name"]
                    yield "entered", state
                elif event["type"] in ("TaskScheduled", "LambdaFunctionScheduled"):
                    yield "called", state

    def revisions(self) -> list[str]:
        pages = self.cloud.client("ecs").get_paginator("list_task_definitions").paginate()
        return [arn for page in pages for arn in page["taskDefinitionArns"]]

    def tasks(self) -> list[str]:
        """All tasks that ECS still knows, running or stopped."""
        ecs, cluster = self.cloud.client("ecs"), self.cloud.outputs["ClusterArn"]
        pages = [
            page
            for status in ("RUNNING", "STOPPED")
            for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus=status)
        ]
        return [arn for page in pages for arn in page["taskArns"]]

    def billed(self) -> list[float]:
        """The seconds that each invocation is billed for, from the functions' log."""
        pages = (
            self.cloud.client("logs")
            .get_paginator("filter_log_events")
            .paginate(
                logGroupName=self._function["LoggingConfig"]["LogGroup"],
                filterPattern="REPORT",
                startTime=int(self.since * 1000),
            )
        )
        return [
            float(each) / 1000
            for page in pages
            for event in page["events"]
            for each in re.findall(r"Billed Duration: ([\d.]+) ms", event["message"])
        ]

    def mails(self) -> list[float]:
        """When each mail came, in UNIX seconds, sorted."""
        times = (path.stat().st_mtime for path in (self.cloud.settings.inbox / "new").iterdir())
        return sorted(at for at in times if at >= self.since)

    def containers(self) -> list[str]:
        """The containers of the bench's apps in this cloud, running or not yet removed."""
        image = f"{self.cloud.settings.registry}/bench-"
        listed = subprocess.run(
            ["docker", "ps", "--all", "--no-trunc", "--format", "{{.Image}} {{.ID}}"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return [line for line in listed.splitlines() if line.startswith(image)]
