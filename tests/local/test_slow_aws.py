"""Deployments while AWS is slow, repeats events and returns old state; the health check is in the VPC."""

from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.inbox import read
from portcall.installer.packaged import Packaged
from tests.conftest import StateFolder
from tests.local.conftest import eventually
from tests.local.installed import SERVES, Installed, stack_of_its_own

pytestmark = pytest.mark.long(20)

SWITCHES = "late-events targets-twice ec2-behind=2 tasks-behind=2 idle-functions=2"


@pytest.fixture(scope="module")
def stack(engine: None, release: Packaged, state_folder: StateFolder) -> Iterator[Installed]:
    parameters = {"AllowedCidr": "10.0.0.0/8"}
    with stack_of_its_own(state_folder("stack"), release, parameters, PORTCALL_SWITCHES=SWITCHES) as installed:
        yield installed


def ended(stack: Installed, digest: str) -> list[dict[str, Any]]:
    """Both executions of a push: its event called the workflow twice."""

    def look() -> list[dict[str, Any]]:
        found = stack.deployments.of(stack.app, digest)
        return found if len(found) == 2 and all(each["status"] != "RUNNING" for each in found) else []

    return eventually(look, within=90, every=0.5)


def test_each_push_is_deployed_once_and_reported_once(stack: Installed) -> None:
    first = stack.push()
    assert [each["status"] for each in ended(stack, first)] == ["SUCCEEDED"] * 2
    # On a port of its own, so with a security group that EC2 does not know at first.
    serves = SERVES.replace("3000", "8080")
    second = stack.cloud.push(stack.app, ["sh", "-c", serves], tag="latest", ExposedPorts={"8080/tcp": {}})
    assert [each["status"] for each in ended(stack, second)] == ["SUCCEEDED"] * 2

    mails = read(stack.settings.inbox)
    for digest in (first, second):
        (mail,) = (each for each in mails if f"Digest:     {digest}" in each.text)
        assert mail.attributes["outcome"] == "deployed"
    # ECS shows tasks as they were two seconds ago.
    (task,) = eventually(lambda: tasks if len(tasks := stack.tasks()) == 1 else [])
    shown = stack.cloud.client("ecs").describe_tasks(cluster=stack.outputs["ClusterArn"], tasks=[task])["tasks"]
    assert shown[0]["containers"][0]["imageDigest"] == second
