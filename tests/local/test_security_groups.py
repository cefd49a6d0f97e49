"""Security groups of EC2: rules, errors, permissions, and the tasks in them."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import Cloud, eventually

WORLD = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@dataclass
class Network:
    """A VPC of its own."""

    cloud: Cloud
    id: str
    subnet: str

    def arn(self, resource: str) -> str:
        return f"arn:aws:ec2:{self.cloud.region}:{self.cloud.account}:{resource}"

    def group(self, name: str = "", **tags: str) -> str:
        return create_group(self.cloud.client("ec2"), self, name, **tags)

    def groups(self, **filters: str) -> list[str]:
        wanted = [{"Name": "vpc-id", "Values": [self.id]}]
        wanted += [{"Name": name, "Values": [value]} for name, value in filters.items()]
        found = self.cloud.client("ec2").describe_security_groups(Filters=wanted)["SecurityGroups"]
        return [each["GroupId"] for each in found]


def create_group(ec2: Any, network: Network, name: str = "", **tags: str) -> str:
    """Create a security group with the permissions of the client `ec2`."""
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    tagged = {"TagSpecifications": [{"ResourceType": "security-group", "Tags": pairs}]} if pairs else {}
    answer = ec2.create_security_group(
        GroupName=name or f"group-{uuid.uuid4().hex[:8]}", Description="test", VpcId=network.id, **tagged
    )
    return str(answer["GroupId"])


def port_80(**peers: Any) -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, **peers}]


def from_group(group: str) -> dict[str, Any]:
    return {"UserIdGroupPairs": [{"GroupId": group}]}


@pytest.fixture(scope="module")
def network(cloud: Cloud) -> Network:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.0.0/20")["Subnet"]["SubnetId"]
    return Network(cloud, vpc, subnet)


def test_groups_are_found_by_name_and_tag_and_are_unique_by_name(cloud: Cloud, network: Network) -> None:
    name = f"group-{uuid.uuid4().hex[:8]}"
    group = network.group(name, **{"portcall:app": name})
    assert network.groups(**{"group-name": name}) == network.groups(**{"tag:portcall:app": name}) == [group]
    assert network.groups(**{"tag:portcall:app": "another"}) == []
    with pytest.raises(ClientError, match=r"InvalidGroup\.Duplicate"):
        network.group(name)


def test_rules_come_and_go_once(cloud: Cloud, network: Network) -> None:
    ec2, group, source = cloud.client("ec2"), network.group(), network.group()
    for peers in (WORLD, from_group(source)):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=port_80(**peers))
        with pytest.raises(ClientError, match=r"InvalidPermission\.Duplicate"):
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=port_80(**peers))
    (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert [rule["IpRanges"] for rule in found["IpPermissions"]] == [WORLD["IpRanges"], []]
    assert [pair["GroupId"] for rule in found["IpPermissions"] for pair in rule["UserIdGroupPairs"]] == [source]
    for peers in (WORLD, from_group(source)):
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=port_80(**peers))
        with pytest.raises(ClientError, match=r"InvalidPermission\.NotFound"):
            ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=port_80(**peers))
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"] == []


def test_a_group_that_is_not_there_is_an_error_everywhere(cloud: Cloud, network: Network) -> None:
    ec2, group, gone = cloud.client("ec2"), network.group(), network.group()
    ec2.delete_security_group(GroupId=gone)
    with pytest.raises(ClientError, match=r"InvalidGroup\.NotFound"):
        ec2.delete_security_group(GroupId=gone)
    with pytest.raises(ClientError, match=r"InvalidGroup\.NotFound"):
        ec2.describe_security_groups(GroupIds=[gone])
    with pytest.raises(ClientError, match=r"InvalidGroup\.NotFound"):
        ec2.authorize_security_group_ingress(GroupId=gone, IpPermissions=port_80(**WORLD))
    with pytest.raises(ClientError, match=r"InvalidGroup\.NotFound"):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=port_80(**from_group(gone)))


def test_a_group_that_a_rule_names_stays_until_the_rule_has_gone(cloud: Cloud, network: Network) -> None:
    ec2, group, source = cloud.client("ec2"), network.group(), network.group()
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=port_80(**from_group(source)))
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_security_group(GroupId=source)
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=port_80(**from_group(source)))
    ec2.delete_security_group(GroupId=source)


def test_cloudformation_cannot_delete_a_group_that_a_rule_names(cloud: Cloud, network: Network) -> None:
    ec2, cloudformation = cloud.client("ec2"), cloud.client("cloudformation")
    properties = {"GroupDescription": "test", "VpcId": network.id}
    body = json.dumps({"Resources": {"Source": {"Type": "AWS::EC2::SecurityGroup", "Properties": properties}}})
    name = f"stack-{uuid.uuid4().hex[:8]}"
    cloudformation.create_stack(StackName=name, TemplateBody=body)

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])

    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    eventually(lambda: status() == "CREATE_COMPLETE")
    (found,) = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    group, source = network.group(), found["PhysicalResourceId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=port_80(**from_group(source)))
    cloudformation.delete_stack(StackName=name)
    eventually(lambda: status() == "DELETE_FAILED")
    ec2.delete_security_group(GroupId=group)
    cloudformation.delete_stack(StackName=name)
    eventually(lambda: status() == "DELETE_COMPLETE")


def test_a_task_is_in_all_its_groups_and_they_stay_until_it_has_gone(cloud: Cloud, network: Network) -> None:
    ec2, ecs, groups = cloud.client("ec2"), cloud.client("ecs"), [network.group(), network.group()]
    repository = cloud.repository()
    cloud.push(repository, ["sleep", "3600"], tag="latest")
    arn = ecs.run_task(
        cluster="default",
        taskDefinition=cloud.define(cloud.image(repository, ":latest"), stopTimeout=2),
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [network.subnet], "securityGroups": groups}},
    )["tasks"][0]["taskArn"]
    cloud.await_task(arn, "RUNNING")
    in_group = [{"Name": "group-id", "Values": groups[1:]}]
    (interface,) = ec2.describe_network_interfaces(Filters=in_group)["NetworkInterfaces"]
    assert [each["GroupId"] for each in interface["Groups"]] == groups
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_security_group(GroupId=groups[1])
    ecs.stop_task(cluster="default", task=arn)
    cloud.await_task(arn, "STOPPED")
    ec2.delete_security_group(GroupId=groups[1])


def test_creating_a_group_is_asked_for_the_group_the_vpc_and_the_tags(cloud: Cloud, network: Network) -> None:
    groups, vpc = network.arn("security-group/*"), network.arn(f"vpc/{network.id}")
    create = {"Effect": "Allow", "Action": "ec2:CreateSecurityGroup"}
    tagged = {"Condition": {"StringEquals": {"aws:RequestTag/app": "web"}}}
    tag = {
        "Effect": "Allow",
        "Action": "ec2:CreateTags",
        "Resource": groups,
        "Condition": {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}},
    }
    allowed = [{**create, "Resource": groups, **tagged}, {**create, "Resource": vpc}, tag]
    assert create_group(cloud.user(*allowed)("ec2"), network, app="web")
    for missing in allowed:
        user = cloud.user(*[each for each in allowed if each != missing])
        with pytest.raises(ClientError, match="UnauthorizedOperation"):
            create_group(user("ec2"), network, app="web")
    for tags in ({"app": "another"}, {}):
        with pytest.raises(ClientError, match="UnauthorizedOperation"):
            create_group(cloud.user(*allowed)("ec2"), network, **tags)
    # A VPC is not tagged by the request, so a condition on the request's tags is not met for it.
    conditional = {**create, "Resource": [groups, vpc], **tagged}
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        create_group(cloud.user(conditional, tag)("ec2"), network, app="web")


@pytest.mark.parametrize("key", ["aws:ResourceTag/app", "ec2:ResourceTag/app"])
def test_changing_a_group_may_be_bound_to_its_tags(cloud: Cloud, network: Network, key: str) -> None:
    ec2 = cloud.user(
        {
            "Effect": "Allow",
            "Action": ["ec2:*SecurityGroupIngress", "ec2:DeleteSecurityGroup"],
            "Resource": network.arn("security-group/*"),
            "Condition": {"StringEquals": {key: "web"}},
        }
    )("ec2")
    mine, other = network.group(app="web"), network.group(app="another")
    for change in (ec2.authorize_security_group_ingress, ec2.revoke_security_group_ingress):
        change(GroupId=mine, IpPermissions=port_80(**WORLD))
        with pytest.raises(ClientError, match="UnauthorizedOperation"):
            change(GroupId=other, IpPermissions=port_80(**WORLD))
    ec2.delete_security_group(GroupId=mine)
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        ec2.delete_security_group(GroupId=other)


def test_listing_groups_knows_no_resource(cloud: Cloud, network: Network) -> None:
    group, allow = network.group(), {"Effect": "Allow", "Action": "ec2:DescribeSecurityGroups"}
    assert cloud.user({**allow, "Resource": "*"})("ec2").describe_security_groups(GroupIds=[group])
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        cloud.user({**allow, "Resource": network.arn("security-group/*")})("ec2").describe_security_groups()
