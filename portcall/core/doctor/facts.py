"""The calls and commands with which the checks read from AWS and this machine. Nothing is changed."""

import base64
import json
import os
import socket
import subprocess
import time
import urllib.parse
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from portcall.core import stack
from portcall.core.doctor.account import QUOTA, ROLE
from portcall.core.doctor.install import PENDING, Subscription
from portcall.core.doctor.machine import Login
from portcall.core.stack import Stack
from portcall.core.target import Target
from portcall.core.trouble import code_of

# In seconds.
DOCKER_ANSWERS_WITHIN = 10
APP_ANSWERS_WITHIN = 3


@dataclass(frozen=True)
class Caller:
    """The caller; `expires_at` (UNIX seconds) is 0 if unknown, `skew` is how far this clock is ahead."""

    arn: str
    account: str
    expires_at: float
    skew: float


class Facts:
    """Reads each fact once, from one target."""

    def __init__(self, target: Target) -> None:
        self.target = target

    # ── This machine

    @staticmethod
    def docker() -> tuple[str, str]:
        """The engine's version, or '' and the reason if none answers."""
        command = ["docker", "version", "--format", "{{.Server.Version}}"]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=DOCKER_ANSWERS_WITHIN)
        except FileNotFoundError:
            return "", "there is no docker command."
        except subprocess.TimeoutExpired:
            return "", f"it did not answer within {DOCKER_ANSWERS_WITHIN} s."
        version = ended.stdout.strip()
        return (version, "") if ended.returncode == 0 and version else ("", ended.stderr.strip()[:200])

    @staticmethod
    def login(registry: str) -> Login:
        """What Docker's configuration says about a registry; the password is not read."""
        folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
        try:
            config = json.loads((folder / "config.json").read_text())
            helper = config.get("credHelpers", {}).get(registry) or config.get("credsStore", "")
            entry = config.get("auths", {}).get(registry)
            noted = entry is not None or registry in config.get("credHelpers", {})
            return Login(noted, str(helper), _expiry((entry or {}).get("auth", "")))
        except (OSError, ValueError, AttributeError, TypeError):
            return Login(False)

    # ── Your account

    @cached_property
    def caller(self) -> Caller:
        try:
            answer = self.target.client("sts").get_caller_identity()
        except ClientError as error:
            skew = _skew(error.response)
            # With such a clock, AWS's complaint about the signature means the clock.
            if abs(skew) >= 300:
                return Caller("", "", 0, skew)
            raise
        return Caller(answer["Arn"], answer["Account"], self.target.expires_at, _skew(answer))

    def ecs_role(self) -> bool:
        try:
            self.target.client("iam").get_role(RoleName=ROLE)
        except ClientError as error:
            if code_of(error) == "NoSuchEntity":
                return False
            raise
        return True

    def quota(self) -> float:
        """The quota of on-demand vCPUs."""
        answer = self.target.client("service-quotas").get_service_quota(ServiceCode="fargate", QuotaCode=QUOTA)
        return float(answer["Quota"]["Value"])

    def vcpus_in_use(self) -> float | None:
        """The vCPUs in use in the whole account, None if CloudWatch has no value.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/monitoring-fargate-usage.html
        """
        dimensions = {
            "Service": "Fargate",
            "Type": "Resource",
            "Resource": "vCPU",
            "Class": "Standard/OnDemand",
        }
        now = datetime.now(UTC)
        answer = self.target.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Usage",
            MetricName="ResourceCount",
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=now - timedelta(minutes=30),
            EndTime=now,
            Period=300,
            Statistics=["Maximum"],
        )
        points = sorted(answer.get("Datapoints", []), key=lambda each: each["Timestamp"])
        return float(points[-1]["Maximum"]) if points else None

    # ── The install

    @cached_property
    def stack(self) -> Stack:
        return stack.describe(self.target)

    def parts(self, kind: str) -> dict[str, str]:
        """The stack's resources of a type: logical name -> physical id."""
        return {name: id for name, (each, id) in self._resources.items() if each == kind}

    @cached_property
    def _resources(self) -> dict[str, tuple[str, str]]:
        pages = self.target.client("cloudformation").get_paginator("list_stack_resources")
        return {
            each["LogicalResourceId"]: (each["ResourceType"], each.get("PhysicalResourceId", ""))
            for page in pages.paginate(StackName=self.target.stack)
            for each in page["StackResourceSummaries"]
        }

    def subscriptions(self) -> list[Subscription]:
        pages = self.target.client("sns").get_paginator("list_subscriptions_by_topic")
        return [
            Subscription(each["Protocol"], each["Endpoint"], each["SubscriptionArn"] != PENDING)
            for page in pages.paginate(TopicArn=self.stack.outputs["TopicArn"])
            for each in page["Subscriptions"]
            if each["SubscriptionArn"] != "Deleted"
        ]

    def dead_letters(self) -> dict[str, int]:
        """How many messages each queue of the stack holds."""
        sqs = self.target.client("sqs")
        counts = {}
        for name, url in self.parts("AWS::SQS::Queue").items():
            answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            counts[name] = int(answer["Attributes"]["ApproximateNumberOfMessages"])
        return counts

    def rules(self) -> dict[str, bool]:
        """Whether each rule of the stack is enabled."""
        events = self.target.client("events")
        # The id of a rule is its name, or `default|name` from some regions.
        rules = {name: id.rpartition("|")[2] for name, id in self.parts("AWS::Events::Rule").items()}
        return {name: events.describe_rule(Name=id)["State"] == "ENABLED" for name, id in rules.items()}

    def machine(self) -> str:
        """The status of the state machine."""
        arn = self.stack.outputs["StateMachineArn"]
        return str(self.target.client("stepfunctions").describe_state_machine(stateMachineArn=arn)["status"])

    # ── An app

    def secrets_of(self, revision: str) -> dict[str, str]:
        """The variables that a revision gets from Parameter Store, with the parameter of each."""
        answer = self.target.client("ecs").describe_task_definition(taskDefinition=revision)["taskDefinition"]
        return {
            each["name"]: each["valueFrom"]
            for container in answer["containerDefinitions"]
            for each in container.get("secrets", [])
        }

    @staticmethod
    def answers(url: str) -> tuple[bool, str]:
        """Whether the host of a URL accepts a connection, and `host:port`."""
        parts = urllib.parse.urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        place = f"{parts.hostname}:{port}"
        with suppress(OSError), socket.create_connection((parts.hostname or "", port), APP_ANSWERS_WITHIN):
            return True, place
        return False, place


def _skew(answer: Any) -> float:
    """By how many seconds this machine's clock is ahead of a response's `Date`."""
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return time.time() - parsedate_to_datetime(said).timestamp()
    except ValueError:
        return 0.0


def _expiry(auth: str) -> int:
    """When an ECR token expires (UNIX seconds), which the token says; 0 if it is not one."""
    with suppress(ValueError, TypeError, AttributeError):
        password = base64.b64decode(auth).decode().partition(":")[2]
        return int(json.loads(base64.b64decode(password))["expiration"])
    return 0
