"""Each switch of the embedded cloud behaves like AWS, and only if it is on."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.switches import Switches, UnknownSwitch, parse
from tests.local.conftest import Cloud, eventually, forget_images, start_cloud

BEHIND = 1.5
ON = f"late-events targets-twice ec2-behind={BEHIND} tasks-behind={BEHIND} vcpus=0.5 lambda-concurrency=2 idle-functions=1"
WAITS = "import time\ndef handler(event, context):\n    time.sleep(event or 0)\n    return event"
IS_BUSY = """
import pathlib, time
def handler(event, context):
    while not pathlib.Path(event).exists():
        time.sleep(0.05)
"""
MARKS = "def handler(event, context):\n    print('marked')"


@pytest.fixture(scope="module")
def cloud(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud with all switches on."""
    running = start_cloud(tmp_path_factory.mktemp("switched"), PORTCALL_SWITCHES=ON)
    yield running
    running.stop()
    forget_images(running.port)


@pytest.fixture
def definition(cloud: Cloud) -> str:
    repository = cloud.repository()
    digest = cloud.push(repository, ["sleep", "3600"])
    return cloud.define(cloud.image(repository, f"@{digest}"))


def run(cloud: Cloud, definition: str) -> dict:
    subnet = cloud.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    return cloud.client("ecs").run_task(
        cluster="default",
        taskDefinition=definition,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet], "assignPublicIp": "ENABLED"}},
    )


def test_reads_what_is_switched_on():
    assert parse("") == Switches()
    assert parse(" vcpus=2  late-events ") == Switches(late_events=True, vcpus=2.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("late-event", "there is no switch 'late-event'; there are: late-events, targets-twice"),
        ("vcpus", "vcpus takes a number"),
        ("vcpus=many", "vcpus takes a number"),
        ("vcpus=-1", "no negative number"),
        ("lambda-concurrency=1.5", "lambda-concurrency takes a number"),
        ("late-events=1", "late-events takes no number"),
    ],
)
def test_a_word_that_is_not_a_switch_says_which_there_are(text, said):
    with pytest.raises(UnknownSwitch, match=said):
        parse(text)


def test_reads_lag_events_are_late_and_targets_are_called_twice(cloud: Cloud, definition: str):
    news = cloud.watch(source=["aws.ecs"])
    began = time.monotonic()
    (task,) = run(cloud, definition)["tasks"]
    arn = task["taskArn"]
    ecs = cloud.client("ecs")
    assert ecs.describe_tasks(cluster="default", tasks=[arn])["failures"] == [{"arn": arn, "reason": "MISSING"}]
    assert arn not in ecs.list_tasks(cluster="default")["taskArns"]
    described = cloud.client("ec2")

    def interface() -> str:
        shown = eventually(lambda: (ecs.describe_tasks(cluster="default", tasks=[arn])["tasks"] or [None])[0])
        details = [detail for each in shown["attachments"] for detail in each["details"]]
        return next((each["value"] for each in details if each["name"] == "networkInterfaceId"), "")

    assert eventually(interface)
    assert time.monotonic() - began >= BEHIND
    assert arn in ecs.list_tasks(cluster="default")["taskArns"]
    assert described.describe_network_interfaces(NetworkInterfaceIds=[interface()])["NetworkInterfaces"]

    def of_running() -> list[dict[str, Any]]:
        found = [
            each for each in news() if each["resources"] == [arn] and each["detail"]["lastStatus"] == "RUNNING"
        ]
        return found if len(found) >= 2 else []

    ids = [each["id"] for each in eventually(of_running)]
    assert len(ids) == 2 * len(set(ids)), "each target is called twice for one event"
    ecs.stop_task(cluster="default", task=arn)


def test_events_arrive_in_another_order(cloud: Cloud):
    repository = cloud.repository()
    news = cloud.watch(source=["aws.ecr"], detail={"repository-name": [repository]})
    pushed = [f"tag-{number}" for number in range(8)]
    for tag in pushed:
        cloud.push(repository, ["sleep", tag], tag=tag)
    seen = eventually(lambda: news(at_least=2 * len(pushed)))
    tags = list(dict.fromkeys(each["detail"]["image-tag"] for each in seen))
    assert sorted(tags) == pushed
    assert tags != pushed


def test_a_new_security_group_is_not_known_for_a_while(cloud: Cloud):
    group = cloud.client("ec2").create_security_group(GroupName="young", Description="young")["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    refused = cloud.client("ec2").exceptions.ClientError

    def open_port() -> bool:
        cloud.client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        return True

    with pytest.raises(refused, match=r"InvalidGroup\.NotFound"):
        open_port()
    time.sleep(BEHIND)
    assert open_port()


def test_above_the_quota_a_200_says_no(cloud: Cloud, definition: str):
    started = []
    while not (answer := run(cloud, definition))["failures"]:
        started += [task["taskArn"] for task in answer["tasks"]]
        assert len(started) <= 2
    assert "limit on the number of vCPUs" in answer["failures"][0]["reason"]
    assert answer["tasks"] == []
    for arn in started:
        cloud.client("ecs").stop_task(cluster="default", task=arn)


def test_above_the_concurrency_calls_are_throttled_and_events_wait(cloud: Cloud, tmp_path: Path):
    busy, marks = cloud.function(IS_BUSY, Timeout=120), cloud.function(MARKS)
    logs = cloud.client("logs")
    over = tmp_path / "over"
    threads = [threading.Thread(target=cloud.invoke, args=(busy, str(over))) for _ in range(2)]
    for thread in threads:
        thread.start()
    # As the workflow calls it, without retries.
    task = {"Type": "Task", "Resource": busy, "End": True}

    def throttled() -> bool:
        ended = cloud.outcome(cloud.execute({"StartAt": "Ask", "States": {"Ask": task}}))
        return ended.get("error") == "Lambda.TooManyRequestsException"

    eventually(throttled)
    cloud.client("lambda").invoke(FunctionName=marks, InvocationType="Event", Payload="null")
    over.touch()
    for thread in threads:
        thread.join()

    def marked() -> bool:
        group = f"/aws/lambda/{marks.rpartition(':')[2]}"
        found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        return bool(found and logs.filter_log_events(logGroupName=group, filterPattern="marked")["events"])

    assert eventually(marked)


def test_an_idle_function_in_a_vpc_is_not_ready_at_once(cloud: Cloud):
    subnet = cloud.client("ec2").describe_subnets()["Subnets"][0]
    group = cloud.client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
    inside = {"SubnetIds": [subnet["SubnetId"]], "SecurityGroupIds": [group]}
    task = {"Type": "Task", "Resource": cloud.function(WAITS, VpcConfig=inside), "End": True}
    ended = cloud.outcome(cloud.execute({"StartAt": "Ask", "States": {"Ask": task}}))
    assert (ended["status"], ended["error"]) == ("FAILED", "Lambda.ResourceNotReadyException")
    patient = {"ErrorEquals": ["Lambda.ResourceNotReadyException"], "IntervalSeconds": 1, "MaxAttempts": 5}
    asked = {"StartAt": "Ask", "States": {"Ask": task | {"Retry": [patient]}}}
    assert cloud.outcome(cloud.execute(asked))["status"] == "SUCCEEDED"
