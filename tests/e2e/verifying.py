"""`portcall verify-aws` against an embedded cloud in which Portcall is not installed."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud import root_key
from tests.conftest import StateFolder
from tests.e2e.conftest import COMMANDS, docker
from tests.local.conftest import ACCOUNT, REGION, Cloud
from tests.local.installed import cloud_of_its_own, is_the_accounts

SAMS = "aws-sam-cli-managed-default"


@dataclass
class Verify:
    """The command, run by a user of an account without Portcall."""

    cloud: Cloud
    state_dir: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment = {
            "AWS_ENDPOINT_URL": self.cloud.endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": root_key.read(self.state_dir),
            "AWS_REGION": REGION,
            "PORTCALL_STATE_DIR": str(self.state_dir),
        }
        return subprocess.Popen(
            [str(COMMANDS / "portcall"), "verify-aws", "--yes", *arguments],
            env=inherited | environment,
            cwd=self.state_dir,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def says(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=900)
        return process.returncode, said

    @property
    def state(self) -> dict[str, Any]:
        """What the last run knows."""
        paths = sorted(self.state_dir.glob("verify-aws-*.json"), key=lambda path: path.stat().st_mtime)
        return dict(json.loads(paths[-1].read_text()))

    @property
    def report(self) -> str:
        return (self.state_dir / "verify-aws.md").read_text()

    def verdicts(self) -> dict[str, str]:
        return {name: each["verdict"] for name, each in self.state["results"].items()}

    def stacks(self) -> dict[str, str]:
        found = self.cloud.client("cloudformation").describe_stacks()["Stacks"]
        return {each["StackName"]: each["StackStatus"] for each in found if each["StackName"] != SAMS}

    def everything(self) -> dict[str, Any]:
        """All that there is in the account, but for SAM's own stack, and on this machine."""
        client = self.cloud.client
        logs = client("logs").describe_log_groups()["logGroups"]
        families = client("ecs").list_task_definition_families(status="ALL")["families"]
        return {
            "stacks": {name for name, status in self.stacks().items() if status != "DELETE_COMPLETE"},
            "functions": {each["FunctionName"] for each in client("lambda").list_functions()["Functions"]},
            "roles": {each["RoleName"] for each in client("iam").list_roles()["Roles"] if not is_the_accounts(each["RoleName"])},
            "repositories": {each["repositoryName"] for each in client("ecr").describe_repositories()["repositories"]},
            "groups": {each["GroupId"] for each in client("ec2").describe_security_groups()["SecurityGroups"]},
            "networks": {each["VpcId"] for each in client("ec2").describe_vpcs()["Vpcs"]},
            "clusters": set(client("ecs").list_clusters()["clusterArns"]),
            "families": set(families),
            "logs": {each["logGroupName"] for each in logs},
            "queues": set(client("sqs").list_queues().get("QueueUrls", [])),
            "rules": {each["Name"] for each in client("events").list_rules()["Rules"]},
            "topics": {each["TopicArn"] for each in client("sns").list_topics()["Topics"]},
            "apis": {each["ApiId"] for each in client("apigatewayv2").get_apis()["Items"]},
            "tables": set(client("dynamodb").list_tables()["TableNames"]),
            "containers": set(docker("ps", "--all", "--quiet", "--filter", f"label=ministack.instance={os.uname().nodename}:{self.cloud.port}").split()),
            "images": set(docker("images", "--quiet", "--filter", f"reference=localhost:{self.cloud.port}/*").split()),
        }  # fmt: skip


@contextlib.contextmanager
def verifying(folder: Path) -> Iterator[Verify]:
    """The command, and a cloud for it."""
    with cloud_of_its_own(folder) as cloud:
        yield Verify(cloud, folder)


@pytest.fixture
def verify(base_image: None, state_folder: StateFolder) -> Iterator[Verify]:
    with verifying(state_folder("verify")) as made:
        yield made
