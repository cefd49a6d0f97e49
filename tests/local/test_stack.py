"""The stack as `sam deploy` installs it: its roles, its rule, what it leaves when it is deleted."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from deployer.aws import ledger_keys
from deployer.aws.items import wire

from localcloud.inbox import Received, read
from localcloud.settings import PROJECT, STACK, CloudSettings
from localcloud.stack import install, outputs
from tests.conftest import EVENTS
from tests.deployments import WITHIN, Deployments
from tests.local.callers import forget, holder, job_of
from tests.local.conftest import (
    ACCOUNT,
    HOST_ARCHITECTURE,
    REGION,
    Cloud,
    eventually,
    forget_images,
    start_cloud,
)

# Both end when they are asked to, and no two pushes are alike.
SERVES = "trap 'exit 0' TERM; httpd -f -p 3000 & wait"
SILENT = "trap 'exit 0' TERM; while :; do sleep 1; done"
FAILS = "echo 'no database'; exit 3"


class Installed:
    """One stack in a cloud."""

    def __init__(self, cloud: Cloud, name: str = STACK) -> None:
        self.cloud, self.name = cloud, name
        self.settings = CloudSettings(cloud.port, ACCOUNT, REGION, cloud.state_dir)

    @cached_property
    def outputs(self) -> dict[str, str]:
        (stack,) = self.cloud.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}

    @cached_property
    def resources(self) -> dict[str, str]:
        """Logical id -> physical id."""
        pages = self.cloud.client("cloudformation").get_paginator("list_stack_resources")
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.name)
            for each in page["StackResourceSummaries"]
        }

    @cached_property
    def deployments(self) -> Deployments:
        return Deployments(self.cloud.client("stepfunctions"), self.outputs["StateMachineArn"])

    @property
    def app(self) -> str:
        return self.outputs["RepositoryUri"].partition("/")[2]

    def push(self, command: str = SERVES) -> str:
        return self.cloud.push(self.app, ["sh", "-c", f": {uuid.uuid4()}; {command}"], tag="latest")

    def deploy(self, command: str = SERVES) -> dict[str, Any]:
        """Push, and give the execution that came of it, once it has ended."""
        (execution,) = self.deployments.ended(self.app, self.push(command))
        return execution

    def mails(self, execution: dict[str, Any]) -> list[Received]:
        push = json.loads(execution["input"])["id"]
        return [mail for mail in read(self.settings.inbox) if push in mail.text]

    def tasks(self, execution: dict[str, Any] | None = None) -> list[str]:
        """The tasks that shall run: all of them, or those that an execution started."""
        wanted = {"startedBy": json.loads(execution["input"])["id"]} if execution else {}
        listed = self.cloud.client("ecs").list_tasks(cluster=self.outputs["ClusterArn"], **wanted)
        return list(listed["taskArns"])

    def sweep(self) -> dict[str, list[str]]:
        """Run Reconcile with the role that it has. It comes by itself every five minutes: then wait for that."""
        function = self.resources["ReconcileFunction"]

        def swept() -> list[dict[str, list[str]]]:
            answer = self.cloud.client("lambda").invoke(
                FunctionName=function, Payload=json.dumps({"id": "now"})
            )
            said = json.loads(answer["Payload"].read())
            assert "FunctionError" not in answer, said
            return [] if "skipped" in said else [said]

        return eventually(swept, within=120)[0]

    def role(self, function: str) -> str:
        return self.resources[f"{function}FunctionRole"]

    @contextmanager
    def without(self, role: str, *actions: str) -> Iterator[None]:
        """The role's own policies without some actions, for as long as it takes."""
        iam = self.cloud.client("iam")
        before = {
            name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        }
        after = {name: less(document, set(actions)) for name, document in before.items()}
        assert after != before, f"{role} has none of {actions}"
        try:
            for name, document in after.items():
                put_policy(iam, role, name, document)
            yield
        finally:
            for name, document in before.items():
                put_policy(iam, role, name, document)

    @contextmanager
    def denied(self, role: str, action: str) -> Iterator[None]:
        """An action refused outright: publishing is allowed within the account by the topic's own policy."""
        iam = self.cloud.client("iam")
        statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
        put_policy(iam, role, "Denied", {"Version": "2012-10-17", "Statement": [statement]})
        try:
            yield
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="Denied")

    def sam(self, command: str, *arguments: str) -> None:
        options = ["--config-file", str(PROJECT / "samconfig.toml"), "--config-env", "local"]
        options += ["--stack-name", self.name, "--region", REGION, *arguments]
        ended = subprocess.run(
            [str(Path(sys.executable).with_name("sam")), command, *options],
            env={**self.settings.process_environment(), "SAM_CLI_POLL_DELAY": "0.5"},
            cwd=PROJECT,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


def less(document: dict[str, Any], actions: set[str]) -> dict[str, Any]:
    """A policy document without some actions; a statement that has no other goes with them."""
    statements = []
    for statement in document["Statement"]:
        named = statement["Action"]
        kept = [each for each in ([named] if isinstance(named, str) else named) if each not in actions]
        if kept:
            statements.append({**statement, "Action": kept})
    return {**document, "Statement": statements}


def put_policy(iam: Any, role: str, name: str, document: dict[str, Any]) -> None:
    if document["Statement"]:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    else:
        # IAM takes no policy without a statement.
        iam.delete_role_policy(RoleName=role, PolicyName=name)


@pytest.fixture(scope="module")
def stack(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The stack in a cloud of its own, for the tests take its permissions away."""
    folder = tmp_path_factory.mktemp("stack")
    cloud = start_cloud(folder)
    try:
        installed = Installed(cloud)
        install(installed.settings, print)
        yield installed
    finally:
        cloud.stop()
        forget_images(cloud.port)


def describe(stack: Installed) -> dict[str, Any]:
    (found,) = stack.cloud.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"]
    return dict(found)


# ── As it is installed


def test_it_is_there_and_says_which_three_commands_come_next(stack: Installed) -> None:
    assert describe(stack)["StackStatus"] == "CREATE_COMPLETE"
    registry = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
    login, tag, push = (stack.outputs[name] for name in ("Step1Login", "Step2Tag", "Step3Push"))
    assert login.endswith(f"| docker login --username AWS --password-stdin {registry}")
    assert tag == f"docker tag flask-app:latest {registry}/flask-app:latest"
    assert push == f"docker push {registry}/flask-app:latest"
    assert outputs(stack.settings) == stack.outputs


def test_installing_it_again_changes_nothing(stack: Installed) -> None:
    before, resources = describe(stack), dict(stack.resources)
    install(stack.settings, print)
    assert describe(stack) == before
    assert Installed(stack.cloud).resources == resources


def test_a_push_is_live_with_no_more_than_the_steps_own_permissions(stack: Installed) -> None:
    told = stack.cloud.watch(source=["portcall"])
    execution = stack.deploy()
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    (mail,) = stack.mails(execution)
    assert mail.attributes == {"app": "flask-app", "outcome": "deployed"}
    assert stack.tasks() == stack.tasks(execution)
    # Other programs hear of it too.
    (event,) = eventually(told)
    assert event["detail-type"] == "Deployment Succeeded"
    assert event["detail"]["url"] == mail.text.splitlines()[0]


def test_a_viewer_may_ask_what_a_tag_points_to_and_follow_the_workflow(stack: Installed) -> None:
    execution = stack.deploy()
    assert execution["status"] == "SUCCEEDED"
    iam, name = stack.cloud.client("iam"), "portcall-ViewerPolicyRole-tests"
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=stack.outputs["ViewerPolicyArn"])
    keys = stack.cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=stack.cloud.endpoint,
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    ecr, workflow = client("ecr"), client("stepfunctions")
    latest = [{"imageTag": "latest"}]
    assert ecr.describe_images(repositoryName=stack.app, imageIds=latest)["imageDetails"]
    with pytest.raises(ClientError, match="not authorized"):
        ecr.batch_get_image(repositoryName=stack.app, imageIds=latest)
    assert workflow.get_execution_history(executionArn=execution["executionArn"])["events"]
    with pytest.raises(ClientError, match="not authorized"):
        workflow.describe_execution(executionArn=execution["executionArn"])


def test_a_pusher_pushes_and_waits_and_does_nothing_else(stack: Installed, tmp_path: Path) -> None:
    pusher = holder(stack.cloud, "Pusher", tmp_path)
    digest = pusher.push(stack.app, ["sh", "-c", f": {uuid.uuid4()}; {SERVES}"], "latest")
    waited = pusher.portcall("wait", f"{stack.app}:latest@{digest}")
    assert waited.returncode == 0, waited.stderr
    assert waited.stdout.startswith("http://")
    assert pusher.portcall("wait", f"{stack.app}:latest").stdout == waited.stdout

    for words in (["status"], ["logs", stack.app], ["deploy", f"{stack.app}:latest"]):
        refused = pusher.portcall(*words)
        assert (refused.returncode, refused.stdout) == (6, ""), refused.stderr
        assert "may not call" in refused.stderr
    ecr, ledger, other = pusher.client("ecr"), pusher.client("dynamodb"), stack.cloud.repository()
    table = stack.outputs["LedgerTableName"]
    for call in (
        lambda: ecr.initiate_layer_upload(repositoryName=other),
        lambda: ecr.batch_delete_image(repositoryName=stack.app, imageIds=[{"imageTag": "latest"}]),
        lambda: ecr.create_repository(repositoryName="any"),
        lambda: ecr.delete_repository(repositoryName=stack.app),
        lambda: ledger.get_item(TableName=table, Key=wire(ledger_keys.current("other-app"))),
        lambda: ledger.delete_item(TableName=table, Key=wire(ledger_keys.current(stack.app))),
    ):
        with pytest.raises(ClientError, match="not authorized"):
            call()


def test_a_keeper_of_secrets_writes_those_of_the_watched_repository_and_reads_none(
    stack: Installed, tmp_path: Path
) -> None:
    keeper = holder(stack.cloud, "Secrets", tmp_path).client("ssm")
    name = f"/portcall/{stack.app}/GREETING"
    keeper.put_parameter(Name=name, Value="hello", Type="SecureString")
    for call in (
        lambda: keeper.get_parameter(Name=name, WithDecryption=True),
        lambda: keeper.put_parameter(Name="/portcall/others/GREETING", Value="hello", Type="SecureString"),
        lambda: keeper.put_parameter(
            Name=f"/portcall-previews/{stack.app}/GREETING", Value="hello", Type="String"
        ),
    ):
        with pytest.raises(ClientError, match="not authorized"):
            call()
    keeper.delete_parameter(Name=name)


def test_a_sweep_with_nothing_to_mend_does_nothing(stack: Installed) -> None:
    assert stack.deploy()["status"] == "SUCCEEDED"
    running = stack.tasks()
    assert stack.sweep() == {}
    assert stack.tasks() == running


# ── One permission less

# Each is needed on the way of every push, except where the image makes the step ask further.
NEEDED = [
    ("AdmitPush", "dynamodb:UpdateItem", SERVES),
    ("AdmitPush", "ecr:DescribeImages", SERVES),
    ("ReadImage", "ecr:BatchGetImage", SERVES),
    ("ReadImage", "ecr:GetDownloadUrlForLayer", SERVES),
    ("RegisterTaskDefinition", "dynamodb:UpdateItem", SERVES),
    ("RegisterTaskDefinition", "ssm:DescribeParameters", SERVES),
    ("RegisterTaskDefinition", "ecs:RegisterTaskDefinition", SERVES),
    ("RegisterTaskDefinition", "ecs:TagResource", SERVES),
    ("RegisterTaskDefinition", "iam:PassRole", SERVES),
    ("RunTask", "ecs:RunTask", SERVES),
    ("RunTask", "ecs:TagResource", SERVES),
    ("RunTask", "iam:PassRole", SERVES),
    ("WaitForRunning", "dynamodb:UpdateItem", SERVES),
    ("ResolvePublicIp", "ec2:DescribeNetworkInterfaces", SERVES),
    ("CheckHealth", "dynamodb:GetItem", SILENT),
    ("SwitchOver", "dynamodb:ConditionCheckItem", SERVES),
    ("SwitchOver", "dynamodb:GetItem", SERVES),
    ("SwitchOver", "dynamodb:PutItem", SERVES),
]


@pytest.mark.parametrize(
    ("function", "action", "command"), NEEDED, ids=[f"{function}-{action}" for function, action, _ in NEEDED]
)
def test_a_step_that_lacks_a_permission_ends_the_deployment_with_a_mail_that_names_it(
    stack: Installed, function: str, action: str, command: str
) -> None:
    serving = stack.tasks()
    with stack.without(stack.role(function), action):
        execution = stack.deploy(command)
    assert execution["status"] == "FAILED"
    assert execution["error"] == "AccessDeniedError"
    (mail,) = stack.mails(execution)
    assert mail.subject == "flask-app failed: Portcall lacks a permission"
    assert action in mail.text.splitlines()[1]
    assert stack.tasks(execution) == []
    assert stack.tasks() == serving


def test_a_task_that_may_not_be_stopped_is_told_in_the_mail(stack: Installed) -> None:
    address, roll_back = stack.role("ResolvePublicIp"), stack.role("RollBack")
    with stack.without(address, "ec2:DescribeNetworkInterfaces"), stack.without(roll_back, "ecs:StopTask"):
        execution = stack.deploy()
    assert (execution["status"], execution["error"]) == ("FAILED", "AccessDeniedError")
    (task,) = stack.tasks(execution)
    (mail,) = stack.mails(execution)
    assert "may still run and cost money" in mail.text
    assert f"aws ecs stop-task --cluster {stack.outputs['ClusterArn']} --task {task}" in mail.text
    swept = stack.sweep()
    assert swept == {"flask-app": [f"stopped {task}"]}
    assert stack.tasks(execution) == []


@pytest.mark.parametrize(
    "action", ["ecs:ListTasks", "ecs:DescribeTasks", "logs:GetLogEvents", "dynamodb:GetItem"]
)
def test_what_could_not_be_found_out_about_a_failure_is_told_in_the_mail(stack: Installed, action: str) -> None:
    with stack.without(stack.role("RollBack"), action):
        execution = stack.deploy(FAILS)
    assert execution["status"] == "FAILED"
    (mail,) = stack.mails(execution)
    assert mail.attributes["outcome"] == "failed"
    assert action in mail.text
    assert stack.tasks(execution) == []


def test_a_failure_that_nobody_can_be_told_of_still_fails_and_leaves_nothing_running(stack: Installed) -> None:
    with stack.denied(stack.role("RollBack"), "sns:Publish"):
        execution = stack.deploy(FAILS)
    assert (execution["status"], execution["error"]) == ("FAILED", "AccessDeniedError")
    assert "sns:Publish" in execution["cause"]
    assert stack.mails(execution) == []
    assert stack.tasks(execution) == []


def test_an_app_whose_url_could_not_be_published_serves_and_is_never_called_failed(stack: Installed) -> None:
    with stack.denied(stack.role("PublishUrl"), "sns:Publish"):
        execution = stack.deploy()
    assert execution["status"] == "FAILED"
    (mail,) = stack.mails(execution)
    assert mail.attributes["outcome"] == "deployed"
    assert "sns:Publish" in mail.text
    assert stack.tasks() == stack.tasks(execution) != []


def test_a_push_that_the_rule_may_not_deliver_waits_in_the_queue(stack: Installed) -> None:
    sqs, queue = stack.cloud.client("sqs"), stack.resources["PushDeadLetterQueue"]
    role = stack.resources["DeployStateMachineImagePushedRole"]
    with stack.without(role, "states:StartExecution"):
        digest = stack.push()
        (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert json.loads(message["Body"])["detail"]["image-digest"] == digest
    assert stack.deployments.of(stack.app, digest) == []


def test_what_a_tag_points_to_is_deployed_once_more_and_without_a_tag_the_one_that_is_live(
    stack: Installed,
) -> None:
    command = ["sh", "-c", f": {uuid.uuid4()}; {SERVES}"]
    digest = stack.cloud.push(stack.app, command, tag="v1")
    assert [each["status"] for each in stack.deployments.ended(stack.app, digest)] == ["SUCCEEDED"]
    # `latest`, which counts where nothing is live, points to another image.
    for asked in ({"tag": "v1"}, {}):
        event = {"action": "deploy", "app": stack.app, **asked}
        error, said = stack.cloud.invoke(stack.resources["OperateFunction"], event)
        assert (error, said.get("status"), said.get("tag")) == ("", "started", "v1"), said
        assert said["digest"] == digest
        ended = stack.deployments.ended(stack.app, digest)
        assert said["deployment"] in {json.loads(each["input"])["id"] for each in ended}
        assert {each["status"] for each in ended} == {"SUCCEEDED"}


# ── The gate

CRITICAL = {
    "name": "CVE-2026-1234",
    "severity": "CRITICAL",
    "package_name": "zlib",
    "package_version": "1.2.13",
}


@pytest.fixture(scope="module")
def gated(stack: Installed) -> Iterator[Installed]:
    """The stack with the gate on, for as long as there are tests of it."""
    built = ["--template-file", str(stack.cloud.state_dir / "build/template.yaml"), "--parameter-overrides"]
    stack.sam("deploy", *built, "BlockOnFindings=high")
    yield stack
    stack.sam("deploy", *built, "BlockOnFindings=none")


@pytest.fixture
def know(stack: Installed) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What scans find from now on; nothing is known at first."""
    known = stack.cloud.state_dir / "findings.json"

    def scans_find(entries: dict[str, Any]) -> None:
        known.write_text(json.dumps(entries))

    yield scans_find
    known.unlink(missing_ok=True)


def test_a_clean_image_passes_the_gate_once_its_scan_has_ended(gated: Installed) -> None:
    execution = gated.deploy()
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    (mail,) = gated.mails(execution)
    assert "scan " in mail.text


def test_an_image_with_findings_is_refused_with_their_list_and_the_version_before_serves(
    gated: Installed, know: Callable[[dict[str, Any]], None]
) -> None:
    serving = gated.tasks()
    know({gated.app: {"findings": [CRITICAL, {**CRITICAL, "severity": "LOW", "name": "CVE-2026-1"}]}})
    # Of an index it is the image that would run that is scanned, and not the index.
    child = gated.cloud.push(gated.app, ["sh", "-c", f": {uuid.uuid4()}; {SERVES}"])
    digest = gated.cloud.push_index(gated.app, {HOST_ARCHITECTURE: child}, "latest")
    (execution,) = gated.deployments.ended(gated.app, digest)
    assert (execution["status"], execution["error"]) == ("FAILED", "FindingsError")
    (mail,) = gated.mails(execution)
    assert mail.subject == "flask-app was refused: 1 critical vulnerability"
    assert mail.text.splitlines()[1] == f"Reason: {execution['cause']}"
    indented = [line.strip() for line in mail.text.splitlines() if line.startswith("    ")]
    listed = [line for line in indented if not line.startswith("aws lambda invoke ")]
    assert listed[0] == "CRITICAL CVE-2026-1234 in zlib 1.2.13"
    assert listed[1].startswith("Read it with: aws ecr describe-image-scan-findings ")
    assert f"imageDigest={child}" in listed[1]
    assert gated.tasks() == serving


def test_an_image_that_cannot_be_scanned_is_refused(
    gated: Installed, know: Callable[[dict[str, Any]], None]
) -> None:
    know({gated.app: {"status": "UNSUPPORTED_IMAGE"}})
    execution = gated.deploy()
    assert (execution["status"], execution["error"]) == ("FAILED", "NotScannedError")
    (mail,) = gated.mails(execution)
    assert mail.subject == "flask-app was refused: it was not scanned"


def test_a_gate_without_its_permission_lets_nobody_in(gated: Installed) -> None:
    serving = gated.tasks()
    with gated.without(gated.role("CheckFindings"), "ecr:DescribeImageScanFindings"):
        execution = gated.deploy()
    assert (execution["status"], execution["error"]) == ("FAILED", "AccessDeniedError")
    (mail,) = gated.mails(execution)
    assert "ecr:DescribeImageScanFindings" in mail.text.splitlines()[1]
    assert gated.tasks() == serving


# ── The rule


@pytest.fixture(scope="module")
def matches(stack: Installed) -> Any:
    """Whether the deployed rule takes an event."""
    events = stack.cloud.client("events")
    rules = [events.describe_rule(Name=rule["Name"]) for rule in events.list_rules()["Rules"]]
    (pattern,) = (rule["EventPattern"] for rule in rules if '"PUSH"' in rule.get("EventPattern", ""))

    def asked(event: dict[str, Any]) -> bool:
        return bool(events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"])

    return asked


@pytest.mark.parametrize("sample", sorted(path.stem for path in EVENTS.glob("*.json")))
def test_of_all_event_samples_only_tagged_pushes_to_the_watched_repository_start_anything(
    matches: Any, event: Any, sample: str
) -> None:
    document = event(sample)
    ours = document["detail"].get("repository-name") == "flask-app"
    assert matches(document) == (ours and sample in ("ecr-push-tagged", "ecr-push-tagged-index"))
    if document["source"] == "aws.ecr":
        document["detail"]["repository-name"] = "flask-app"
        assert matches(document) == (sample in ("ecr-push-tagged", "ecr-push-tagged-index"))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"image-tag": "v1.4.0"}, True),
        ({"image-tag": ""}, False),
        ({"image-tag": None}, False),
        ({"result": "FAILURE"}, False),
        ({"action-type": "DELETE"}, False),
        ({"repository-name": "flask-app-2"}, False),
        ({"repository-name": "my-flask-app"}, False),
        ({"repository-name": "team/flask-app"}, False),
    ],
)
def test_the_rule_takes_a_push_by_repository_tag_and_result(
    matches: Any, event: Any, changed: dict[str, str | None], expected: bool
) -> None:
    document = event("ecr-push-tagged")
    detail = {**document["detail"], **changed}
    document["detail"] = {name: value for name, value in detail.items() if value is not None}
    assert matches(document) is expected


# ── Two side by side, and the end of one


def is_the_accounts(role: str) -> bool:
    """A service-linked role stays in an account once a service has made it: AWS deletes it with no stack."""
    return role.startswith("AWSServiceRoleFor")


def inventory(cloud: Cloud) -> dict[str, set[str]]:
    """What there is in the account, and runs on this machine for it."""
    ask = {
        "stacks": ("cloudformation", "describe_stacks", "Stacks", "StackName"),
        "clusters": ("ecs", "list_clusters", "clusterArns", None),
        "revisions": ("ecs", "list_task_definitions", "taskDefinitionArns", None),
        "log groups": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "repositories": ("ecr", "describe_repositories", "repositories", "repositoryName"),
        "tables": ("dynamodb", "list_tables", "TableNames", None),
        "queues": ("sqs", "list_queues", "QueueUrls", None),
        "topics": ("sns", "list_topics", "Topics", "TopicArn"),
        "subscriptions": ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
        "roles": ("iam", "list_roles", "Roles", "RoleName"),
        "providers": ("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn"),
        "policies": ("iam", "list_policies", "Policies", "PolicyName"),
        "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
        "machines": ("stepfunctions", "list_state_machines", "stateMachines", "name"),
        "rules": ("events", "list_rules", "Rules", "Name"),
        "networks": ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
        "subnets": ("ec2", "describe_subnets", "Subnets", "SubnetId"),
        "gateways": ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        "route tables": ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
        "security groups": ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
        "interfaces": ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        "addresses": ("apigatewayv2", "get_apis", "Items", "ApiId"),
        "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        "dashboards": ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    }
    found = {}
    for kind, (service, operation, key, name) in ask.items():
        listed = getattr(cloud.client(service), operation)().get(key) or []
        found[kind] = {each[name] if name else each for each in listed}
    found["roles"] = {each for each in found["roles"] if not is_the_accounts(each)}
    ecs = cloud.client("ecs")
    found["tasks"] = {arn for each in found["clusters"] for arn in ecs.list_tasks(cluster=each)["taskArns"]}
    found["containers"] = set(containers(cloud.port))
    return found


def containers(port: int) -> list[str]:
    line = ["docker", "ps", "--all", "--format", '{{.Names}} {{.Label "ministack.instance"}}']
    listed = subprocess.check_output(line, text=True).splitlines()
    return [name.split()[0] for name in listed if name.endswith(f":{port}")]


def test_a_second_stack_deploys_its_own_pushes_and_leaves_nothing_when_it_is_deleted(stack: Installed) -> None:
    first = stack.deploy()
    assert first["status"] == "SUCCEEDED", first.get("cause")
    # The version before it takes a moment to stop.
    eventually(lambda: len(containers(stack.cloud.port)) == 1)
    before = inventory(stack.cloud)
    second = Installed(stack.cloud, "second")
    built = str(stack.cloud.state_dir / "build/template.yaml")
    parameters = ["Email=them@example.com", "RepositoryName=second-app", "StableUrl=on"]
    second.sam("deploy", "--template-file", built, "--parameter-overrides", *parameters)

    execution = second.deploy()
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    (mail,) = second.mails(execution)
    assert mail.to == "them@example.com"
    assert stack.deployments.of(second.app) == []
    assert second.deploy(FAILS)["status"] == "FAILED"
    assert len(second.tasks()) == 1
    assert stack.tasks() == stack.tasks(first) != []

    # What a deletion that was not done in one go has left, and a deployment that is under way.
    ecs = stack.cloud.client("ecs")
    for number in range(3):  # of a family each, for ECS makes one revision of a family at a time
        left = ecs.register_task_definition(family=f"second_gone-app-{number}", containerDefinitions=[{"name": "app", "image": "gone"}])  # fmt: skip
        ecs.deregister_task_definition(taskDefinition=left["taskDefinition"]["taskDefinitionArn"])
    digest = second.push()
    eventually(lambda: second.deployments.of(second.app, digest))

    second.sam("delete", "--no-prompts")
    assert inventory(stack.cloud) == before
    inactive = ecs.list_task_definitions(familyPrefix="second_", status="INACTIVE")["taskDefinitionArns"]
    assert inactive == []
    assert stack.deploy()["status"] == "SUCCEEDED"


# ── What seldom happens, with the permissions that there are for it


def test_the_sweep_starts_an_app_again_whose_stop_nobody_heard_of(stack: Installed) -> None:
    execution = stack.deploy()
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    (task,) = eventually(lambda: stack.tasks() if stack.tasks() == stack.tasks(execution) else None)
    eventually(lambda: len(containers(stack.cloud.port)) == 1)
    events, rule = stack.cloud.client("events"), stack.resources["RestartAppFunctionTaskStops"]
    events.disable_rule(Name=rule)
    try:
        subprocess.run(["docker", "kill", *containers(stack.cloud.port)], check=True, capture_output=True)
        eventually(lambda: not stack.tasks())
        assert list(stack.sweep()) == [stack.app]
        eventually(lambda: [each for each in stack.tasks() if each != task], within=WITHIN)
        stack.deployments.ended(stack.app)
    finally:
        events.enable_rule(Name=rule)


def test_the_sweep_removes_the_security_group_of_a_deployment_that_is_gone(stack: Installed) -> None:
    def groups() -> list[str]:
        tagged = [{"Name": "tag:portcall:stack", "Values": [stack.name]}]
        found = stack.cloud.client("ec2").describe_security_groups(Filters=tagged)["SecurityGroups"]
        # The group of a single port is shared, and stays.
        return [
            each["GroupId"]
            for each in found
            if any(tag["Key"] == "portcall:deployment" for tag in each["Tags"])
        ]

    ports = {"3000/tcp": {}, "3001/tcp": {}}
    command = ["sh", "-c", f": {uuid.uuid4()}; {SERVES}"]
    digest = stack.cloud.push(stack.app, command, tag="latest", ExposedPorts=ports)
    (execution,) = stack.deployments.ended(stack.app, digest)
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    before = groups()
    assert before
    assert stack.deploy()["status"] == "SUCCEEDED"
    eventually(lambda: len(containers(stack.cloud.port)) == 1)

    def swept() -> bool:
        stack.sweep()
        return not set(before) & set(groups())

    eventually(swept, within=WITHIN, every=1)


def test_the_sweep_removes_the_security_group_of_a_port_that_no_app_is_on_any_more(stack: Installed) -> None:
    def groups() -> list[str]:
        named = [
            {"Name": "group-name", "Values": [f"Portcall {stack.name} tcp {port}" for port in (3000, 8080)]}
        ]
        found = stack.cloud.client("ec2").describe_security_groups(Filters=named)["SecurityGroups"]
        return sorted(each["GroupName"] for each in found)

    command = ["sh", "-c", f": {uuid.uuid4()}; trap 'exit 0' TERM; httpd -f -p 8080 & wait"]
    digest = stack.cloud.push(stack.app, command, tag="latest", ExposedPorts={"8080/tcp": {}})
    (execution,) = stack.deployments.ended(stack.app, digest)
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    assert f"Portcall {stack.name} tcp 8080" in groups()
    assert stack.deploy()["status"] == "SUCCEEDED"

    def swept() -> bool:
        # It stays while the task of the version before still stops.
        stack.sweep()
        return groups() == [f"Portcall {stack.name} tcp 3000"]

    eventually(swept, within=WITHIN, every=1)


def test_a_step_that_waits_asks_ecs_once_an_event_may_be_lost(stack: Installed) -> None:
    execution = stack.deploy()
    (task,) = stack.tasks(execution)
    stack.cloud.client("dynamodb").delete_item(
        TableName=stack.outputs["LedgerTableName"], Key=wire(ledger_keys.task(task))
    )
    document = {**json.loads(execution["input"]), "task": {"arn": task}}
    event = {"token": "given up", "attempt": 1, "deployment": document}
    waits = stack.resources["WaitForRunningFunction"]
    assert stack.cloud.invoke(waits, event) == ("", None)
    # News of a stop may be there first.
    stack.cloud.client("ecs").stop_task(cluster=stack.outputs["ClusterArn"], task=task)
    eventually(lambda: not containers(stack.cloud.port))
    assert stack.cloud.invoke(waits, event) == ("", None)


def test_a_step_that_is_to_start_a_task_once_more_finds_the_one_that_runs(stack: Installed) -> None:
    execution = stack.deploy()
    (task,) = stack.tasks(execution)
    event = {"attempt": 1, "deployment": json.loads(execution["output"])}
    error, said = stack.cloud.invoke(stack.resources["RunTaskFunction"], event)
    assert (error, said.get("arn")) == ("", task), said
    assert stack.tasks(execution) == [task]


@pytest.mark.parametrize("step", ["AdmitPush", "RegisterTaskDefinition", "SwitchOver"])
def test_a_step_that_finds_its_push_overtaken_tells_other_programs(stack: Installed, step: str) -> None:
    first = stack.deploy()
    assert stack.deploy()["status"] == "SUCCEEDED"
    eventually(lambda: len(containers(stack.cloud.port)) == 1)
    told = stack.cloud.watch(source=["portcall"])
    # While a push is young, AdmitPush takes another digest under its tag for an old answer.
    past = (datetime.now(UTC) - timedelta(minutes=5)).isoformat(timespec="seconds").replace("+00:00", "Z")
    document = json.loads(first["input" if step == "AdmitPush" else "output"])
    late = {**document, "id": str(uuid.uuid4()), "time": past}
    event = {"execution": first["executionArn"], "push": late} if step == "AdmitPush" else late
    error, said = stack.cloud.invoke(stack.resources[f"{step}Function"], event)
    assert (error, said["result"]) == ("", "superseded")
    (heard,) = eventually(told)
    assert heard["detail-type"] == "Deployment Superseded"


def test_an_app_gets_a_parameter_that_is_encrypted_with_a_key_of_the_account(stack: Installed) -> None:
    kms, ssm = stack.cloud.client("kms"), stack.cloud.client("ssm")
    name, key = f"/portcall/{stack.app}/WORD", kms.create_key()["KeyMetadata"]["KeyId"]
    ssm.put_parameter(Name=name, Value="friend", Type="SecureString", KeyId=key)
    try:
        execution = stack.deploy(f'[ "$WORD" = friend ] && {{ {SERVES}; }}')
        assert execution["status"] == "SUCCEEDED", execution.get("cause")
    finally:
        ssm.delete_parameter(Name=name)


# ── In a thief's hands


def test_a_stolen_role_registers_and_runs_nothing_but_tasks_of_ours_on_fargate(stack: Installed) -> None:
    cloud = stack.cloud
    assert stack.deploy()["status"] == "SUCCEEDED"

    def stolen(function: str) -> Any:
        """ECS in the hands of somebody who may do what the function may."""
        return cloud.user(*policies(cloud, stack.role(function)))("ecs")

    registers, runs = stolen("RegisterTaskDefinition"), stolen("RunTask")
    container = {"name": "app", "image": "any", "privileged": True}
    ours = {"family": f"{stack.name}_stolen", "containerDefinitions": [container]}
    fargate = {"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512", "networkMode": "awsvpc"}
    for request in (
        ours,
        {**ours, "requiresCompatibilities": ["EC2"]},
        {**ours, **fargate, "family": "somebody-elses"},
    ):
        with pytest.raises(
            registers.exceptions.ClientError, match="not authorized to perform: ecs:RegisterTaskDefinition"
        ):
            registers.register_task_definition(**request)
    made = registers.register_task_definition(**{**ours, **fargate})["taskDefinition"]["taskDefinitionArn"]
    cloud.client("ecs").deregister_task_definition(taskDefinition=made)

    revision = cloud.client("ecs").list_task_definitions(familyPrefix=f"{stack.name}_{stack.app}")
    request = {"cluster": stack.outputs["ClusterArn"], "taskDefinition": revision["taskDefinitionArns"][-1]}
    volume = {"name": "stolen", "managedEBSVolume": {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/any"}}
    for more in ({"enableExecuteCommand": True}, {"volumeConfigurations": [volume]}, {"cluster": "default"}):
        with pytest.raises(runs.exceptions.ClientError, match="not authorized to perform: ecs:RunTask"):
            runs.run_task(**{**request, **more})


def policies(cloud: Cloud, role: str) -> list[dict[str, Any]]:
    iam = cloud.client("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=each)["PolicyDocument"] for each in names]
    return [statement for document in documents for statement in document["Statement"]]


# ── With previews


def by_subject(stack: Installed, subject: str) -> Received:
    """The only mail whose subject begins so, once it is there."""

    def look() -> list[Received]:
        return [mail for mail in read(stack.settings.inbox) if mail.subject.startswith(subject)]

    (mail,) = eventually(look, within=WITHIN, every=0.1)
    return mail


@pytest.fixture
def secrets(stack: Installed) -> Iterator[None]:
    """Of production and of previews, under a key of the account, so that the role needs both trees for it too."""
    kms, ssm = stack.cloud.client("kms"), stack.cloud.client("ssm")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kept = {"portcall/shop/web/WORD": "of-production", "portcall/shop/web/OTHER": "of-production"}
    kept |= {f"portcall-previews/{name}/WORD": f"of-previews-of-{name}" for name in ("shop/web", "third-app")}
    for name, value in kept.items():
        ssm.put_parameter(Name=f"/{name}", Value=value, Type="SecureString", KeyId=key)
    yield
    for name in kept:
        ssm.delete_parameter(Name=f"/{name}")


def given_secrets(port: int) -> list[str]:
    """What the environments of all containers have of them."""
    line = ["docker", "inspect", "--format", "{{json .Config.Env}}", *containers(port)]
    environments = map(json.loads, subprocess.check_output(line, text=True).splitlines())
    return sorted(each for environment in environments for each in environment if "=of-pr" in each)


@pytest.mark.usefixtures("secrets")
def test_previews_come_with_their_tag_and_go_with_it_and_nothing_of_them_stays(
    stack: Installed, tmp_path: Path
) -> None:
    eventually(lambda: len(containers(stack.cloud.port)) == len(stack.tasks()))
    before = inventory(stack.cloud)
    third = Installed(stack.cloud, "third")
    built = str(stack.cloud.state_dir / "build/template.yaml")
    parameters = ["Email=them@example.com", "RepositoryName=third-app", "RepositoryPattern=shop/*"]
    parameters += ["CreateRepositories=shop", "Environments=tag", "MaxPreviews=2"]
    parameters += ["GitHubRepository=my-org/my-app", "GitLabProject=my-group/my-app"]
    third.sam("deploy", "--template-file", built, "--parameter-overrides", *parameters)

    def push(tag: str, repository: str = "shop/web", **configuration: Any) -> str:
        # The first of them creates the repository. It ends when asked to, so that no news of it comes after the stack.
        command = ["sh", "-c", f": {tag}; trap 'exit 0' TERM; httpd -f -p 80 & wait"]
        return third.cloud.push(
            repository, command, tag=tag, **{"ExposedPorts": {"80/tcp": {}}, **configuration}
        )

    urls = {}
    for repository, tag in (("shop/web", "pr-7"), ("third-app", "pr-8")):
        push(tag, repository)
        mail = by_subject(third, f"{repository}:{tag} is live: http://")
        urls[tag] = mail.text.splitlines()[0]
        assert "It is a preview: it ends at " in mail.text
        assert mail.attributes == {"app": f"{repository}:{tag}", "outcome": "deployed"}
    assert urls["pr-7"] != urls["pr-8"]
    assert len(third.tasks()) == 2
    assert given_secrets(stack.cloud.port) == [
        "WORD=of-previews-of-shop/web",
        "WORD=of-previews-of-third-app",
    ]
    push("pr-9")
    assert "shop/web:pr-7, third-app:pr-8" in by_subject(third, "shop/web:pr-9 was refused").text

    third.cloud.client("ecr").batch_delete_image(repositoryName="shop/web", imageIds=[{"imageTag": "pr-7"}])
    assert urls["pr-7"] in by_subject(third, "shop/web:pr-7 has ended: its tag was deleted").text
    eventually(lambda: len(third.tasks()) == 1)
    # There is room again. This one's time passes at once.
    push("pr-9", Labels={"portcall.expires": "1m"})
    by_subject(third, "shop/web:pr-9 is live")
    third.cloud.client("dynamodb").update_item(
        TableName=third.outputs["LedgerTableName"],
        Key=wire(ledger_keys.current("shop/web:pr-9")),
        UpdateExpression="SET #until = :now",
        ExpressionAttributeNames={"#until": "until"},
        ExpressionAttributeValues={":now": {"N": str(int(time.time()))}},
    )
    assert third.sweep() == {"shop/web:pr-9": ["ended it"]}
    by_subject(third, "shop/web:pr-9 has ended: it expired at ")
    eventually(lambda: len(third.tasks()) == 1)
    (lasting,) = third.deployments.ended("shop/web", push("latest"))
    assert lasting["status"] == "SUCCEEDED", lasting.get("cause")
    assert {"OTHER=of-production", "WORD=of-production"} <= set(given_secrets(stack.cloud.port))

    github, gitlab = "token.actions.githubusercontent.com", "gitlab.com"
    main = "project_path:my-group/my-app:ref_type:branch:ref:main"
    jobs = (
        ("GitHubRoleArn", github, "sts.amazonaws.com", "repo:my-org/my-app:ref:refs/heads/main"),
        ("GitLabRoleArn", gitlab, "https://gitlab.com", main),
    )
    for output, host, audience, subject in jobs:
        role = third.outputs[output]
        job = job_of(stack.cloud, role, host, tmp_path, aud=audience, sub=subject)
        assert job.client("ecr").get_authorization_token()["authorizationData"]
        with pytest.raises(ClientError, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"):
            job_of(stack.cloud, role, host, tmp_path, aud=audience, sub=subject.replace("my-app", "other"))

    # In the repository of the stack's own, too, and as CI does it.
    pusher = holder(stack.cloud, "Pusher", tmp_path, "third")
    ecr = pusher.client("ecr")
    ecr.batch_delete_image(repositoryName="third-app", imageIds=[{"imageTag": "pr-8"}])
    by_subject(third, "third-app:pr-8 has ended: its tag was deleted")
    ecr.create_repository(repositoryName="shop/new")
    digest = pusher.push("shop/new", ["sh", "-c", f": {uuid.uuid4()}; {SERVES}"], "pr-1")
    waited = pusher.portcall("wait", f"shop/new:pr-1@{digest}")
    assert waited.returncode == 0, waited.stderr
    ecr.batch_delete_image(repositoryName="shop/new", imageIds=[{"imageTag": "pr-1"}])
    by_subject(third, "shop/new:pr-1 has ended: its tag was deleted")
    with pytest.raises(ClientError, match="not authorized"):
        ecr.create_repository(repositoryName="elsewhere/new")
    stack.cloud.client("ecr").delete_repository(repositoryName="shop/new", force=True)
    forget(stack.cloud, "Pusher", "third")

    third.sam("delete", "--no-prompts")
    assert inventory(stack.cloud) == before


# ── In a VPC that is there already


@pytest.fixture(scope="module")
def network(stack: Installed) -> dict[str, str]:
    """A VPC of somebody's, with two public subnets, by the parameters of the template."""
    ec2 = stack.cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]
        for cidr in ("10.1.0.0/24", "10.1.1.0/24")
    ]
    return {"VpcId": vpc, "SubnetIds": ",".join(subnets), "RouteTableIds": table}


def test_a_stack_in_a_vpc_of_yours_deploys_there_and_makes_none(
    stack: Installed, network: dict[str, str]
) -> None:
    eventually(lambda: len(containers(stack.cloud.port)) == len(stack.tasks()))
    before = inventory(stack.cloud)
    fourth = Installed(stack.cloud, "fourth")
    built = str(stack.cloud.state_dir / "build/template.yaml")
    given = {
        "Email": "them@example.com",
        "RepositoryName": "fourth-app",
        "AllowedCidr": "198.51.100.0/24",
        **network,
    }
    parameters = [f"{name}={value}" for name, value in given.items()]
    fourth.sam("deploy", "--template-file", built, "--parameter-overrides", *parameters)
    assert not {"Vpc", "SubnetA", "InternetGateway", "PublicRouteTable"} & set(fourth.resources)
    assert inventory(stack.cloud)["networks"] == before["networks"]

    # On another port than the default: its security group is made when it is deployed.
    serves = ["sh", "-c", "trap 'exit 0' TERM; httpd -f -p 8080 & wait"]
    digest = fourth.cloud.push(fourth.app, serves, tag="latest", ExposedPorts={"8080/tcp": {}})
    (execution,) = fourth.deployments.ended(fourth.app, digest)
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    ec2, ecs = stack.cloud.client("ec2"), stack.cloud.client("ecs")
    (task,) = ecs.describe_tasks(cluster=fourth.outputs["ClusterArn"], tasks=fourth.tasks(execution))["tasks"]
    details = {each["name"]: each["value"] for each in task["attachments"][0]["details"]}
    assert details["subnetId"] in network["SubnetIds"].split(",")
    (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])[
        "NetworkInterfaces"
    ]
    groups = ec2.describe_security_groups(GroupIds=[each["GroupId"] for each in interface["Groups"]])
    assert {each["VpcId"] for each in groups["SecurityGroups"]} == {network["VpcId"]}
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert [each["RouteTableIds"] for each in endpoints if each["VpcId"] == network["VpcId"]] == [
        [network["RouteTableIds"]]
    ]

    fourth.sam("delete", "--no-prompts")
    assert inventory(stack.cloud) == before


@pytest.mark.parametrize(
    ("given", "left_out", "sentence"),
    [
        ({}, "SubnetIds", "VpcId and SubnetIds belong together."),
        ({}, "VpcId", "VpcId and SubnetIds belong together."),
        ({"AllowedCidr": "198.51.100.0/24"}, "RouteTableIds", "VpcId with AllowedCidr needs RouteTableIds:"),
        ({"VpcId": "", "SubnetIds": ""}, "", "RouteTableIds needs VpcId and SubnetIds."),
    ],
)
def test_half_a_network_is_refused_in_a_sentence(
    stack: Installed, network: dict[str, str], given: dict[str, str], left_out: str, sentence: str
) -> None:
    parameters = {name: value for name, value in {**network, **given}.items() if name != left_out}
    if sentence.startswith("VpcId and"):
        del parameters["RouteTableIds"]
    cloudformation, s3 = stack.cloud.client("cloudformation"), stack.cloud.client("s3")
    # As SAM does: a request takes 51,200 bytes of a template, a bucket a megabyte.
    bucket = f"templates-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    template = cloudformation.get_template(StackName=stack.name, TemplateStage="Original")["TemplateBody"]
    body = template if isinstance(template, str) else json.dumps(template)
    s3.put_object(Bucket=bucket, Key="template", Body=body.encode())
    with pytest.raises(cloudformation.exceptions.ClientError, match=sentence):
        cloudformation.create_stack(
            StackName="refused",
            TemplateURL=f"{stack.cloud.endpoint}/{bucket}/template",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
