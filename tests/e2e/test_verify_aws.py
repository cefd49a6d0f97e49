"""`portcall verify-aws` runs completely against the embedded cloud."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud import root_key
from tests.e2e.conftest import COMMANDS, docker
from tests.local.conftest import ACCOUNT, REGION, Cloud, eventually, forget_images, start_cloud
from tests.local.installed import is_the_accounts

pytestmark = pytest.mark.long

# What the embedded cloud cannot show. Each is a line in docs/verify-aws.md, too.
NOT_RUN_HERE = {"function-start-up", "other-cpu", "narrow-cidr-keeps-out"}
SAMS = "aws-sam-cli-managed-default"


@dataclass
class Verify:
    """The command, as somebody types it who is logged in to an account without any Portcall."""

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


@pytest.fixture
def verify(base_image: None, tmp_path: Path) -> Iterator[Verify]:
    cloud = start_cloud(tmp_path)
    yield Verify(cloud, tmp_path)
    cloud.stop()
    forget_images(cloud.port)


def test_the_whole_run_is_as_expected_and_leaves_nothing(verify: Verify) -> None:
    before = verify.everything()
    code, said = verify.says()
    verdicts = verify.verdicts()
    assert {name for name, verdict in verdicts.items() if verdict == "failed"} == set(), said
    assert {name for name, verdict in verdicts.items() if verdict == "not run"} == NOT_RUN_HERE
    assert {name for name, verdict in verdicts.items() if verdict == "different"} == set(), said
    assert code == 0, said
    assert verify.everything() == before
    assert "Everything that was created is deleted" in said
    assert ACCOUNT not in verify.report
    assert "proves nothing about AWS" in verify.report
    evidence = json.loads((verify.state_dir / "verify-aws.json").read_text())
    assert {each["event"]["source"] for each in evidence["events"]} == {"aws.ecr", "aws.ecs"}
    assert {each["document"]["outcome"] for each in evidence["mails"]} == {"deployed", "failed", "ended"}


def test_an_interrupted_run_is_cleaned_up_and_can_be_resumed(verify: Verify) -> None:
    before = verify.everything()
    process = verify.start("--only", "install,first-push")
    # In the middle of `sam deploy`.
    eventually(lambda: "CREATE_IN_PROGRESS" in verify.stacks().values(), within=120)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=480)
    assert process.returncode == 1
    assert "Interrupted. Continue with: portcall verify-aws --resume" in said
    assert verify.state["results"]["install"]["observed"] == "interrupted"
    assert verify.everything() == before, said

    code, said = verify.says("--resume", "--keep", "--only", "install")
    assert code == 0, said
    assert "portcall verify-aws --clean" in said
    assert list(verify.stacks().values()).count("CREATE_COMPLETE") == 1

    code, said = verify.says("--resume", "--only", "install,first-push")
    assert code == 0, said
    # The install was there, and was not made again.
    assert (verify.state["install"], verify.verdicts()) == (2, {"install": "same", "first-push": "same"})
    assert verify.everything() == before


def test_what_was_kept_is_removed_when_asked(verify: Verify) -> None:
    before = verify.everything()
    code, said = verify.says("--keep", "--only", "install")
    assert code == 0, said
    code, said = verify.says("--clean", verify.state["name"])
    assert code == 0, said
    assert verify.everything() == before
