"""A task from RunTask to its end: its events, its address, and its stop."""

import socket
import subprocess
import time
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from localcloud.patches.ec2.network_interfaces import address_of_nobody
from tests.local.conftest import Cloud, eventually

SERVE = ["sh", "-c", "echo hello > /index.html; trap 'exit 0' TERM; httpd -f -p 3000 -h / & wait"]


def details(task: dict[str, Any]) -> dict[str, str]:
    return {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}


def interface(cloud: Cloud, task: dict[str, Any]) -> dict[str, Any]:
    ids = [details(task)["networkInterfaceId"]]
    answer = cloud.client("ec2").describe_network_interfaces(NetworkInterfaceIds=ids)["NetworkInterfaces"]
    found: dict[str, Any] = answer[0]
    return found


def test_a_task_answers_at_its_public_ip_and_sends_an_event_for_each_state(cloud: Cloud) -> None:
    repository = cloud.repository()
    digest = cloud.push(repository, SERVE, tag="latest")
    seen = cloud.watch(source=["aws.ecs"])
    image = cloud.image(repository, f"@{digest}")
    secret = [{"name": "SECRET", "value": "never in an event"}]
    started = cloud.run(cloud.define(image, environment=secret), startedBy="me")
    arn = started["taskArn"]
    (precreated,) = started["attachments"]
    assert precreated["type"] == "ElasticNetworkInterface"
    assert [detail["name"] for detail in precreated["details"]] == ["subnetId"]

    task = cloud.await_task(arn, "RUNNING")
    eni = interface(cloud, task)
    address = eni["Association"]["PublicIp"]
    eventually(lambda: answers(address))
    assert eni["Status"] == "in-use"
    assert eni["SubnetId"] == details(task)["subnetId"]
    (container,) = task["containers"]
    assert container["imageDigest"] == digest
    assert container["networkInterfaces"] == [
        {"attachmentId": precreated["id"], "privateIpv4Address": details(task)["privateIPv4Address"]}
    ]

    asked = time.monotonic()
    stopping = cloud.client("ecs").stop_task(cluster="default", task=arn, reason="enough")["task"]
    # It does not wait for the container, which has 30 s to end.
    assert time.monotonic() - asked < 15
    assert (stopping["desiredStatus"], stopping["lastStatus"]) == ("STOPPED", "RUNNING")
    stopped = cloud.await_task(arn, "STOPPED")
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "enough")
    ec2 = cloud.client("ec2")
    with pytest.raises(ec2.exceptions.ClientError, match=r"InvalidNetworkInterfaceID\.NotFound"):
        interface(cloud, task)

    def mine() -> list[dict[str, Any]]:
        found = [event for event in seen(0) if event["resources"] == [arn]]
        return found if found and found[-1]["detail"]["lastStatus"] == "STOPPED" else []

    events = eventually(mine)
    assert [(e["detail"]["lastStatus"], e["detail"]["desiredStatus"]) for e in events] == [
        ("PROVISIONING", "RUNNING"),
        ("PENDING", "RUNNING"),
        ("RUNNING", "RUNNING"),
        ("RUNNING", "STOPPED"),
        ("DEPROVISIONING", "STOPPED"),
        ("STOPPED", "STOPPED"),
    ]
    versions = [event["detail"]["version"] for event in events]
    assert versions == sorted(set(versions))
    assert "never in an event" not in str(events)
    running, asked_to_stop = events[2]["detail"], events[3]["detail"]
    assert running["attachments"][0]["type"] == "eni"
    assert running["group"] == f"family:{task['taskDefinitionArn'].rsplit('/', 1)[-1].split(':')[0]}"
    assert (running["startedBy"], running["launchType"]) == ("me", "FARGATE")
    assert running["containers"][0]["imageDigest"] == digest
    assert running["startedAt"].endswith("Z")
    assert asked_to_stop["stopCode"] == "UserInitiated"


def test_the_pull_has_ended_before_the_container_is_made(cloud: Cloud) -> None:
    repository = cloud.repository()
    cloud.push(repository, ["sleep", "3600"], tag="latest")
    definition = cloud.define(cloud.image(repository, ":latest"), stopTimeout=2)
    arn = cloud.run(definition)["taskArn"]
    task = cloud.await_task(arn, "RUNNING")
    cloud.client("ecs").stop_task(cluster="default", task=arn)
    assert task["createdAt"] <= task["pullStartedAt"] <= task["pullStoppedAt"] < task["startedAt"]


def test_a_container_that_cannot_be_started_has_been_pulled(cloud: Cloud) -> None:
    repository = cloud.repository()
    cloud.push(repository, ["nonsense"], tag="latest")
    task = cloud.await_task(cloud.run(cloud.define(cloud.image(repository, ":latest")))["taskArn"], "STOPPED")
    assert task["pullStartedAt"] <= task["pullStoppedAt"] < task["stoppingAt"]
    assert "startedAt" not in task


def test_a_pull_that_fails_does_not_end(cloud: Cloud) -> None:
    image = cloud.image(cloud.repository(), ":nothing")
    task = cloud.await_task(cloud.run(cloud.define(image))["taskArn"], "STOPPED")
    assert "pullStoppedAt" not in task


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}:3000/", timeout=2) as answer:
            return bool(answer.read() == b"hello\n")
    except OSError:
        return False


def test_an_events_detail_has_no_field_that_the_samples_have_not(cloud: Cloud, event: Any) -> None:
    repository = cloud.repository()
    cloud.push(repository, ["sh", "-c", "sleep 0.3; exit 3"], tag="latest")
    # Tasks of other tests may stop meanwhile.
    mine = f"me-{uuid.uuid4().hex[:8]}"
    seen = cloud.watch(source=["aws.ecs"], detail={"lastStatus": ["STOPPED"], "startedBy": [mine]})
    cloud.run(cloud.define(cloud.image(repository, ":latest")), startedBy=mine)
    detail = eventually(seen)[0]["detail"]
    sample = event("ecs-task-stopping-exit-1")["detail"]
    assert set(detail) - set(sample) <= {"stoppedAt"}
    assert set(sample) <= set(detail)
    assert set(detail["containers"][0]) - set(sample["containers"][0]) <= {"reason"}
    assert detail["containers"][0]["exitCode"] == 3
    assert (detail["stopCode"], detail["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )


def test_nothing_answers_at_the_address_of_a_container_that_ended_at_once() -> None:
    with pytest.raises(OSError, match="unreachable"):
        socket.create_connection((address_of_nobody(), 3000), timeout=5)


def test_without_a_public_ip_there_is_no_association(cloud: Cloud) -> None:
    repository = cloud.repository()
    cloud.push(repository, ["sleep", "3600"], tag="latest")
    arn = cloud.run(cloud.define(cloud.image(repository, ":latest"), stopTimeout=2), public="DISABLED")[
        "taskArn"
    ]
    task = cloud.await_task(arn, "RUNNING")
    assert "Association" not in interface(cloud, task)
    cloud.client("ecs").stop_task(cluster="default", task=arn)
    # A shell that is process 1 ignores SIGTERM: after stopTimeout it is killed, and the exit code says so.
    assert cloud.await_task(arn, "STOPPED")["containers"][0]["exitCode"] == 137


def test_a_container_that_was_removed_behind_our_back_is_a_stopped_task(cloud: Cloud) -> None:
    repository = cloud.repository()
    cloud.push(repository, ["sleep", "3600"], tag="latest")
    arn = cloud.run(cloud.define(cloud.image(repository, ":latest")))["taskArn"]
    cloud.await_task(arn, "RUNNING")
    label = f"label=com.amazonaws.ecs.task-arn={arn}"
    (container,) = subprocess.check_output(["docker", "ps", "-q", "--filter", label], text=True).split()
    subprocess.run(["docker", "rm", "-f", container], check=True, capture_output=True)
    task = cloud.await_task(arn, "STOPPED")
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 137)


def test_one_revision_of_a_family_is_registered_at_a_time(cloud: Cloud) -> None:
    ecs = cloud.client("ecs")
    family = f"family-{uuid.uuid4().hex[:8]}"

    def register() -> str:
        containers = [{"name": "app", "image": "app", "memory": 64}]
        try:
            ecs.register_task_definition(family=family, containerDefinitions=containers)
        except ecs.exceptions.ClientException as error:
            return str(error.response["Error"]["Message"])
        return "registered"

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: register(), range(4)))
    busy = "Too many concurrent attempts to create a new revision of the specified family."
    assert sorted(answers) == [busy, busy, busy, "registered"]
    assert eventually(lambda: register() == "registered")


def test_a_revision_can_be_registered_again_as_it_is_described(cloud: Cloud) -> None:
    ecs = cloud.client("ecs")
    family = f"family-{uuid.uuid4().hex[:8]}"
    ecs.register_task_definition(family=family, containerDefinitions=[{"name": "app", "image": "app"}])
    described = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    takes = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
    time.sleep(1)  # one revision of a family at a time
    again = ecs.register_task_definition(**{name: described[name] for name in described.keys() & takes.keys()})

    assert "" not in described.values()
    own = {"revision", "taskDefinitionArn", "registeredAt"}
    found = again["taskDefinition"]
    assert {name: found[name] for name in found.keys() - own} == {
        name: described[name] for name in described.keys() - own
    }


def test_run_task_with_one_client_token_starts_one_task(cloud: Cloud) -> None:
    repository = cloud.repository()
    cloud.push(repository, ["sleep", "2"], tag="latest")
    definition = cloud.define(cloud.image(repository, ":latest"))
    first = cloud.run(definition, clientToken=f"{repository}-token")
    again = cloud.run(definition, clientToken=f"{repository}-token")
    assert again["taskArn"] == first["taskArn"]
    family = definition.rsplit("/", 1)[-1].split(":")[0]
    assert len(cloud.client("ecs").list_tasks(cluster="default", family=family)["taskArns"]) == 1
    ecs = cloud.client("ecs")
    with pytest.raises(ecs.exceptions.ConflictException):
        cloud.run(definition, clientToken=f"{repository}-token", startedBy="somebody-else")
