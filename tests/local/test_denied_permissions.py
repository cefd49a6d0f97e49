"""Steps without a rarely needed permission, and what a stolen role can do."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from deployer.aws import ledger_keys
from deployer.aws.items import wire

from portcall.installer.packaged import Packaged
from tests.conftest import StateFolder
from tests.deployments import WITHIN
from tests.local.conftest import (
    ACCOUNT,
    eventually,
)
from tests.local.installed import (
    FAILS,
    SERVES,
    SILENT,
    Installed,
    containers,
    policies,
    stack_of_its_own,
)

pytestmark = pytest.mark.long(55)


@pytest.fixture(scope="module")
def stack(engine: None, release: Packaged, state_folder: StateFolder) -> Iterator[Installed]:
    with stack_of_its_own(state_folder("stack"), release) as installed:
        yield installed


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


def test_a_task_that_may_not_be_stopped_is_reported_in_the_mail(stack: Installed) -> None:
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
def test_a_rollback_stops_the_task_and_mails_which_permission_it_lacks(stack: Installed, action: str) -> None:
    with stack.without(stack.role("RollBack"), action):
        execution = stack.deploy(FAILS)
    assert execution["status"] == "FAILED"
    (mail,) = stack.mails(execution)
    assert mail.attributes["outcome"] == "failed"
    assert action in mail.text
    assert stack.tasks(execution) == []


def test_a_failure_that_cannot_be_mailed_still_fails_and_leaves_nothing_running(stack: Installed) -> None:
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


def test_the_deploy_action_redeploys_the_given_tag_or_else_the_live_image(
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


# ── What seldom happens, with the permissions that there are for it


def test_the_sweep_starts_an_app_again_whose_stop_event_was_lost(stack: Installed) -> None:
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
    # The event of a stop may arrive first.
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


def test_a_step_that_is_to_start_a_task_once_more_gives_way_to_a_newer_push(stack: Installed) -> None:
    first, second = stack.deploy(), stack.deploy()
    eventually(lambda: len(containers(stack.cloud.port)) == 1)
    event = {"attempt": 1, "deployment": json.loads(first["output"])}
    _, said = stack.cloud.invoke(stack.resources["RunTaskFunction"], event)
    assert said["errorType"] == "NotNewestError", said
    assert stack.tasks() == stack.tasks(second)


@pytest.mark.parametrize("step", ["AdmitPush", "RegisterTaskDefinition", "SwitchOver"])
def test_a_step_that_finds_its_push_superseded_informs_other_programs(stack: Installed, step: str) -> None:
    first = stack.deploy()
    assert stack.deploy()["status"] == "SUCCEEDED"
    eventually(lambda: len(containers(stack.cloud.port)) == 1)
    events = stack.cloud.watch(source=["portcall"])
    # While a push is young, AdmitPush takes another digest under its tag for an old answer.
    past = (datetime.now(UTC) - timedelta(minutes=5)).isoformat(timespec="seconds").replace("+00:00", "Z")
    document = json.loads(first["input" if step == "AdmitPush" else "output"])
    late = {**document, "id": str(uuid.uuid4()), "time": past}
    event = {"execution": first["executionArn"], "push": late} if step == "AdmitPush" else late
    error, said = stack.cloud.invoke(stack.resources[f"{step}Function"], event)
    assert (error, said["errorType"]) == ("Unhandled", "SupersededError")
    (sent,) = eventually(events)
    assert sent["detail-type"] == "Deployment Superseded"


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
        """ECS for a caller with the permissions of the function."""
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
