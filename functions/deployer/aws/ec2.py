"""Amazon EC2: network interfaces, and the security groups that open ports."""

from dataclasses import dataclass
from typing import Any

from deployer.aws.client import client, code_of, errors_as_ours
from deployer.domain import app_tags
from deployer.domain.errors import AddressNotReadyError, AwsRefusedError, AwsUnavailableError


def addresses(*, interface: str) -> tuple[str, str]:
    """The public and the private IP of a network interface.

    EC2 is eventually consistent: a new interface may be unknown, or without its address, for a moment.
    Raises AddressNotReadyError then.
    """
    try:
        with errors_as_ours():
            answer = client("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])
    except AwsRefusedError as error:
        if code_of(error).startswith("InvalidNetworkInterface"):
            raise AddressNotReadyError(f"The network interface {interface} is not known yet.") from error
        raise
    found = answer["NetworkInterfaces"][0]
    association = found.get("Association") or {}
    if not association.get("PublicIp"):
        raise AddressNotReadyError(f"The network interface {interface} has no public IP yet.")
    return str(association["PublicIp"]), str(found["PrivateIpAddress"])


def open_ports(
    *, name: str, ports: list[int], vpc: str, cidr: str, probe_group: str, tags: dict[str, str]
) -> str:
    """The id of the security group of that name, made if need be, with these TCP ports open.

    They are open to `cidr`, and to the members of `probe_group` where that is not ''.
    """
    try:
        with errors_as_ours():
            group = str(
                client("ec2").create_security_group(
                    GroupName=name,
                    Description="Portcall: apps answer on the ports that their images name",
                    VpcId=vpc,
                    TagSpecifications=[
                        {
                            "ResourceType": "security-group",
                            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                        }
                    ],
                )["GroupId"]
            )
    except AwsRefusedError as error:
        if code_of(error) != "InvalidGroup.Duplicate":
            raise
        group = _group_named(name, vpc)
    _authorize(group, ports, cidr, probe_group)
    return group


def _group_named(name: str, vpc: str) -> str:
    filters = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [vpc]}]
    with errors_as_ours():
        found = client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    if not found:
        # It has been made this moment; EC2 is eventually consistent.
        raise AwsUnavailableError(f"The security group {name!r} is not to be seen yet.")
    return str(found[0]["GroupId"])


def _authorize(group: str, ports: list[int], cidr: str, probe_group: str) -> None:
    callers: list[dict[str, Any]] = [{"IpRanges": [{"CidrIp": cidr, "Description": "The port of the app"}]}]
    if probe_group:
        callers.append({"UserIdGroupPairs": [{"GroupId": probe_group, "Description": "The health check"}]})
    rules = [_rule(port) | caller for port in ports for caller in callers]
    try:
        with errors_as_ours():
            client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=rules)
    except AwsRefusedError as error:
        if code_of(error) == "InvalidGroup.NotFound":
            raise AwsUnavailableError(f"The security group {group} is not to be seen yet.") from error
        # They are there already: a group's ports never change, but for those that are closed.
        if code_of(error) != "InvalidPermission.Duplicate":
            raise


def close_ports(*, group: str, ports: list[int]) -> None:
    """Take every rule for these TCP ports away; a group that is gone has none."""
    with errors_as_ours():
        found = client("ec2").describe_security_groups(Filters=[{"Name": "group-id", "Values": [group]}])
        rules = [rule for each in found["SecurityGroups"] for rule in each["IpPermissions"]]
        unwanted = [rule for rule in rules if rule.get("FromPort") in ports]
        if unwanted:
            client("ec2").revoke_security_group_ingress(GroupId=group, IpPermissions=unwanted)


@dataclass(frozen=True)
class Group:
    """A security group that `open_ports` made; `deployment` is '' for one that apps share."""

    id: str
    app: str
    deployment: str


def groups_of(*, stack: str) -> list[Group]:
    """The security groups that `open_ports` made for a stack."""
    with errors_as_ours():
        pages = client("ec2").get_paginator("describe_security_groups")
        filters = [{"Name": "tag:portcall:stack", "Values": [stack]}]
        found = [each for page in pages.paginate(Filters=filters) for each in page["SecurityGroups"]]
    tags = {each["GroupId"]: {tag["Key"]: tag["Value"] for tag in each["Tags"]} for each in found}
    return [
        Group(group, app_tags.app(named), named.get("portcall:deployment", "")) for group, named in tags.items()
    ]


def delete_group(group: str) -> bool:
    """Delete a security group; False if a network interface still uses it. One that is gone is fine."""
    try:
        with errors_as_ours():
            client("ec2").delete_security_group(GroupId=group)
    except AwsRefusedError as error:
        if code_of(error) == "DependencyViolation":
            return False
        if code_of(error) != "InvalidGroup.NotFound":
            raise
    return True


def _rule(port: int) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
