"""A changed AllowedCidr while an app runs: the rules of its group, and the stack can still be deleted."""

from collections.abc import Iterator
from typing import Any

import pytest

from portcall.installer.packaged import Packaged
from tests.conftest import StateFolder
from tests.local.installed import Installed, stack_of_its_own

pytestmark = pytest.mark.long(20)

OFFICE, OTHER, WORLD = "198.51.100.0/24", "203.0.113.0/24", "0.0.0.0/0"


@pytest.fixture(scope="module")
def stack(engine: None, release: Packaged, state_folder: StateFolder) -> Iterator[Installed]:
    with stack_of_its_own(state_folder("stack"), release, {"AllowedCidr": OFFICE}) as installed:
        yield installed


def groups(stack: Installed) -> list[dict[str, Any]]:
    tagged = [{"Name": "tag:portcall:stack", "Values": [stack.name]}]
    return list(stack.cloud.client("ec2").describe_security_groups(Filters=tagged)["SecurityGroups"])


def let_in(stack: Installed) -> set[str]:
    """Who may call the apps: address ranges, and ids of groups."""
    rules = [rule for group in groups(stack) for rule in group["IpPermissions"]]
    ranges = {each["CidrIp"] for rule in rules for each in rule["IpRanges"]}
    return ranges | {each["GroupId"] for rule in rules for each in rule["UserIdGroupPairs"]}


def test_a_push_lets_in_whom_the_parameter_names_and_nobody_else(stack: Installed) -> None:
    assert stack.deploy()["status"] == "SUCCEEDED"
    probe = stack.resources["ProbeSecurityGroup"]
    ec2, events = stack.cloud.client("ec2"), stack.cloud.client("events")
    # By itself the sweep might come first, and leave the push nothing to do.
    rule = stack.resources["ReconcileFunctionEveryFiveMinutes"]
    events.disable_rule(Name=rule)
    try:
        for group in groups(stack):
            somebody = [
                {"IpProtocol": "tcp", "FromPort": 3000, "ToPort": 3000, "IpRanges": [{"CidrIp": OTHER}]}
            ]
            ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=somebody)
        assert let_in(stack) == {OFFICE, OTHER, probe}
        assert stack.deploy()["status"] == "SUCCEEDED"
        assert let_in(stack) == {OFFICE, probe}
    finally:
        events.enable_rule(Name=rule)


def test_who_is_let_in_follows_the_parameter_and_the_stack_can_be_deleted(stack: Installed) -> None:
    assert stack.deploy()["status"] == "SUCCEEDED"
    probe = stack.resources["ProbeSecurityGroup"]
    assert let_in(stack) == {OFFICE, probe}
    for cidr, callers in ((OTHER, {OTHER, probe}), (WORLD, {WORLD}), (OFFICE, {OFFICE, probe})):
        stack.update(AllowedCidr=cidr)
        stack.sweep()
        assert let_in(stack) == callers
    stack.delete()
