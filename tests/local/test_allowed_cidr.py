"""A changed AllowedCidr, with an app running: who is let in by its group, and that the stack can be deleted."""

from collections.abc import Iterator

import pytest

from localcloud.stack import install
from tests.local.conftest import forget_images, start_cloud
from tests.local.test_stack import Installed

OFFICE, OTHER, WORLD = "198.51.100.0/24", "203.0.113.0/24", "0.0.0.0/0"


@pytest.fixture(scope="module")
def stack(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    cloud = start_cloud(tmp_path_factory.mktemp("cidr"))
    try:
        installed = Installed(cloud)
        install(installed.settings, print, {"AllowedCidr": OFFICE})
        yield installed
    finally:
        cloud.stop()
        forget_images(cloud.port)


def let_in(stack: Installed) -> set[str]:
    """Who may call the apps: address ranges, and ids of groups."""
    tagged = [{"Name": "tag:portcall:stack", "Values": [stack.name]}]
    groups = stack.cloud.client("ec2").describe_security_groups(Filters=tagged)["SecurityGroups"]
    rules = [rule for group in groups for rule in group["IpPermissions"]]
    ranges = {each["CidrIp"] for rule in rules for each in rule["IpRanges"]}
    return ranges | {each["GroupId"] for rule in rules for each in rule["UserIdGroupPairs"]}


def test_who_is_let_in_follows_the_parameter_and_the_stack_can_be_deleted(stack: Installed) -> None:
    def push() -> None:
        assert stack.deploy()["status"] == "SUCCEEDED"

    # By itself the sweep might come before the push, and leave it nothing to do.
    stack.cloud.client("events").disable_rule(Name=stack.resources["ReconcileFunctionEveryFiveMinutes"])
    push()
    probe = stack.resources["ProbeSecurityGroup"]
    assert let_in(stack) == {OFFICE, probe}
    for cidr, callers, comes in (
        (OTHER, {OTHER, probe}, push),
        (WORLD, {WORLD}, stack.sweep),
        (OFFICE, {OFFICE, probe}, stack.sweep),
    ):
        install(stack.settings, print, {"AllowedCidr": cidr})
        comes()
        assert let_in(stack) == callers
    stack.sam("delete", "--no-prompts")
