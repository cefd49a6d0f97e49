"""The outcomes of pushes: the executions of a state machine, found by what was pushed."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.local.conftest import eventually

WITHIN = 60


@dataclass
class Deployments:
    """`workflow` is a boto3 client of Step Functions; an empty digest means any."""

    workflow: Any
    machine: str
    _pushes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, app: str, digest: str = "") -> list[dict[str, Any]]:
        """The executions of an app's pushes, oldest first."""
        found = self.workflow.list_executions(stateMachineArn=self.machine, maxResults=1000)["executions"]
        wanted = [each for each in found if self._is_of(each["executionArn"], app, digest)]
        return sorted(wanted, key=lambda each: each["startDate"])

    def ended(self, app: str, digest: str = "") -> list[dict[str, Any]]:
        """The same, once there are any and all have ended; with `error`, `cause` and what else is known."""

        def look() -> list[dict[str, Any]]:
            found = self.of(app, digest)
            return found if all(each["status"] != "RUNNING" for each in found) else []

        ended = eventually(look, within=WITHIN, every=0.1)
        return [self.workflow.describe_execution(executionArn=each["executionArn"]) for each in ended]

    def _is_of(self, arn: str, app: str, digest: str) -> bool:
        if arn not in self._pushes:
            document = json.loads(self.workflow.describe_execution(executionArn=arn)["input"])
            self._pushes[arn] = document.get("detail", {})
        push = self._pushes[arn]
        return push.get("repository-name") == app and digest in push.get("image-digest", "")
