"""A Fargate task as ECS describes it, in events and in responses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

# The name of an app's container, in its task and in its task definition.
CONTAINER = "app"


class TaskState(Enum):
    """What is known of a task that should be running."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Task:
    """`version` grows with each change.

    `interface` is the network interface's id, and `digest` the running image's, '' until known. Times are in
    UNIX milliseconds, 0 until known.
    """

    arn: str
    last_status: str
    desired_status: str
    version: int
    interface: str = ""
    stop_code: str = ""
    stopped_reason: str = ""
    exit_code: int | None = None
    container_reason: str = ""
    digest: str = ""
    pull_started: int = 0
    pull_stopped: int = 0
    started: int = 0

    @classmethod
    def from_ecs(cls, source: Mapping[str, Any]) -> "Task":
        """Read the `detail` of a *ECS Task State Change* event, or one task of RunTask or DescribeTasks.

        Attachments have the type `eni` in events and `ElasticNetworkInterface` in responses. If the task never
        started, `containers` is empty, and there is no exit code.
        """
        interfaces = [
            detail["value"]
            for attachment in source.get("attachments") or []
            if attachment.get("type") in ("eni", "ElasticNetworkInterface")
            for detail in attachment.get("details") or []
            if detail.get("name") == "networkInterfaceId"
        ]
        container: Mapping[str, Any] = next(
            (each for each in source.get("containers") or [] if each.get("name") == CONTAINER), {}
        )
        return cls(
            arn=source["taskArn"],
            last_status=source.get("lastStatus") or "",
            desired_status=source.get("desiredStatus") or "",
            version=int(source.get("version") or 0),
            interface=interfaces[0] if interfaces else "",
            stop_code=source.get("stopCode") or "",
            stopped_reason=source.get("stoppedReason") or "",
            exit_code=container.get("exitCode"),
            container_reason=container.get("reason") or "",
            digest=container.get("imageDigest") or "",
            pull_started=_milliseconds(source.get("pullStartedAt")),
            pull_stopped=_milliseconds(source.get("pullStoppedAt")),
            started=_milliseconds(source.get("startedAt")),
        )

    def launch(self) -> dict[str, float]:
        """When its pull began and ended, and since when it runs, in UNIX seconds, as far as ECS says."""
        times = {
            "pullStartedAt": self.pull_started,
            "pullStoppedAt": self.pull_stopped,
            "startedAt": self.started,
        }
        return {name: at / 1000 for name, at in times.items() if at}

    @property
    def state(self) -> TaskState:
        """A stop first changes the desired status, and the last status seconds later."""
        if self.desired_status == "STOPPED" or self.last_status in ("DEPROVISIONING", "STOPPED", "DELETED"):
            return TaskState.STOPPED
        if self.last_status == "RUNNING" and self.interface:
            return TaskState.RUNNING
        return TaskState.STARTING

    @property
    def stopped_by_hand(self) -> bool:
        """Whether somebody other than Portcall called StopTask; such a stop is respected."""
        return self.stop_code == "UserInitiated" and not self.stopped_by_us

    @property
    def stopped_by_us(self) -> bool:
        """Whether Portcall stopped it: our stop reasons begin with its name."""
        return self.stopped_reason.startswith("Portcall:")

    @property
    def crashed(self) -> bool:
        """Whether the app ended by itself. If not, it never ran, or AWS took the task away (e.g. Spot)."""
        return self.stop_code == "EssentialContainerExited"

    def why_stopped(self) -> str:
        """One line: the exit code, the container's reason and the task's, as far as AWS reported them."""
        parts = [
            "" if self.exit_code is None else f"exit code {self.exit_code}",
            self.container_reason,
            self.stopped_reason,
        ]
        # A dict keeps the order and drops a reason that the container and the task both have.
        said = dict.fromkeys(part.strip().rstrip(".") for part in parts if part.strip())
        return ". ".join(said) or "AWS gave no reason"


def _milliseconds(time: str | datetime | None) -> int:
    """Events have ISO 8601, answers a datetime; 0 for none."""
    if not time:
        return 0
    at = datetime.fromisoformat(time) if isinstance(time, str) else time
    return round(at.timestamp() * 1000)
