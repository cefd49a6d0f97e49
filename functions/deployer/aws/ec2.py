"""Amazon EC2: network interfaces, and the security groups that open ports."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deployer.aws.client import client, code_of
from deployer.domain import app_tags
from deployer.domain.errors import AddressNotReadyError, AwsRefusedError, AwsUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import (
        FilterTypeDef,
        IpPermissionOutputTypeDef,
        IpPermissionTypeDef,
        SecurityGroupTypeDef,
    )


def addresses(*, interface: str) -> tuple[str, str]:
    """The public and the private IP of a network interface.

    EC2 is eventually consistent: for a moment, a new interface may be unknown or have no address. Raises
    AddressNotReadyError then.
    """
    try:
        answer = client("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])
    except AwsRefusedError as error:
        if code_of(error).startswith("InvalidNetworkInterface"):
            raise AddressNotReadyError(f"EC2 does not show the network interface {interface} yet.") from error
        raise
    found = answer["NetworkInterfaces"][0]
    association = found.get("Association") or {}
    if not association.get("PublicIp"):
        raise AddressNotReadyError(f"The network interface {interface} has no public IP yet.")
    return str(association["PublicIp"]), str(found["PrivateIpAddress"])


def open_ports(
    *, name: str, ports: list[int], vpc: str, cidr: str, probe_group: str, tags: dict[str, str]
) -> str:
    """The id of the security group of that name, created if needed, with exactly these TCP ports open.

    They are open to `cidr`, and to the members of `probe_group` if that is not ''.
    """
    group = _group_named(name, vpc) or _create_group(name, vpc, tags)
    _set_rules(group, _wanted(ports, cidr, probe_group))
    return str(group["GroupId"])


def hold_rules(*, stack: str, cidr: str, probe_group: str) -> list[str]:
    """Open the ports of every group that `open_ports` created for a stack to exactly these callers.

    The callers may have changed since then. Returns the ids of the changed groups.
    """
    changed = []
    for group in _groups(stack):
        if _set_rules(group, _wanted(_ports(group), cidr, probe_group)):
            changed.append(str(group["GroupId"]))
    return changed


# The source of a permission: the field of EC2's permission that lists it, and its name in that list.
Peer = tuple[Literal["IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds"], str]
# One permission with one source: protocol, first and last port.
Rule = tuple[str, int, int, Peer]


def _wanted(ports: list[int], cidr: str, probe_group: str) -> set[Rule]:
    peers: list[Peer] = [("IpRanges", cidr)]
    if probe_group:
        peers.append(("UserIdGroupPairs", probe_group))
    return {("tcp", port, port, peer) for port in ports for peer in peers}


def _set_rules(group: "SecurityGroupTypeDef", wanted: set[Rule]) -> bool:
    """Authorize missing rules, then revoke extra ones; return whether anything changed."""
    there: set[Rule] = {
        (rule["IpProtocol"], rule.get("FromPort", -1), rule.get("ToPort", -1), peer)
        for rule in group.get("IpPermissions", [])
        for peer in _peers(rule)
    }
    ec2 = client("ec2")
    for rules, call, done in (
        (wanted - there, ec2.authorize_security_group_ingress, "InvalidPermission.Duplicate"),
        (there - wanted, ec2.revoke_security_group_ingress, "InvalidPermission.NotFound"),
    ):
        try:
            if rules:
                call(GroupId=group["GroupId"], IpPermissions=[_permission(each) for each in sorted(rules)])
        except AwsRefusedError as error:
            if code_of(error) == "InvalidGroup.NotFound":
                raise AwsUnavailableError(
                    f"EC2 does not show the security group {group['GroupId']} yet."
                ) from error
            # Another call has done the same at this moment.
            if code_of(error) != done:
                raise
    return there != wanted


def _peers(rule: "IpPermissionOutputTypeDef") -> Iterator[Peer]:
    yield from (("IpRanges", each["CidrIp"]) for each in rule.get("IpRanges") or ())
    yield from (("Ipv6Ranges", each["CidrIpv6"]) for each in rule.get("Ipv6Ranges") or ())
    yield from (("UserIdGroupPairs", each["GroupId"]) for each in rule.get("UserIdGroupPairs") or ())
    yield from (("PrefixListIds", each["PrefixListId"]) for each in rule.get("PrefixListIds") or ())


def _permission(rule: Rule) -> "IpPermissionTypeDef":
    protocol, first, last, peer = rule
    permission: IpPermissionTypeDef = {"IpProtocol": protocol}
    if protocol != "-1":
        permission["FromPort"], permission["ToPort"] = first, last
    match peer:
        case "IpRanges", cidr:
            permission["IpRanges"] = [{"CidrIp": cidr, "Description": "The port of the app"}]
        case "Ipv6Ranges", cidr:
            permission["Ipv6Ranges"] = [{"CidrIpv6": cidr}]
        case "UserIdGroupPairs", group:
            permission["UserIdGroupPairs"] = [{"GroupId": group, "Description": "The health check"}]
        case "PrefixListIds", prefixes:
            permission["PrefixListIds"] = [{"PrefixListId": prefixes}]
    return permission


def _create_group(name: str, vpc: str, tags: dict[str, str]) -> "SecurityGroupTypeDef":
    try:
        made = client("ec2").create_security_group(
            GroupName=name,
            Description="Portcall: apps answer on the ports that their images name",
            VpcId=vpc,
            TagSpecifications=[
                {
                    "ResourceType": "security-group",
                    "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                }
            ],
        )
    except AwsRefusedError as error:
        if code_of(error) != "InvalidGroup.Duplicate":
            raise
        # Another call has created it at this moment; EC2 is eventually consistent.
        if found := _group_named(name, vpc):
            return found
        raise AwsUnavailableError(f"EC2 does not show the security group {name!r} yet.") from error
    return {"GroupId": made["GroupId"]}


def _group_named(name: str, vpc: str) -> "SecurityGroupTypeDef | None":
    filters: list[FilterTypeDef] = [
        {"Name": "group-name", "Values": [name]},
        {"Name": "vpc-id", "Values": [vpc]},
    ]
    found = client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return found[0] if found else None


def _ports(group: "SecurityGroupTypeDef") -> list[int]:
    return sorted({rule["FromPort"] for rule in group["IpPermissions"] if rule.get("FromPort")})


def _groups(stack: str) -> "list[SecurityGroupTypeDef]":
    filters: list[FilterTypeDef] = [{"Name": "tag:portcall:stack", "Values": [stack]}]
    pages = client("ec2").get_paginator("describe_security_groups").paginate(Filters=filters)
    return [each for page in pages for each in page["SecurityGroups"]]


def close_ports(*, group: str, ports: list[int]) -> None:
    """Remove every rule for these TCP ports. It is no error if the group does not exist."""
    found = client("ec2").describe_security_groups(Filters=[{"Name": "group-id", "Values": [group]}])
    rules = [rule for each in found["SecurityGroups"] for rule in each["IpPermissions"]]
    unwanted = [rule for rule in rules if rule.get("FromPort") in ports]
    if unwanted:
        client("ec2").revoke_security_group_ingress(GroupId=group, IpPermissions=unwanted)


@dataclass(frozen=True)
class Group:
    """A security group that `open_ports` created; `deployment` is '' for a shared one."""

    id: str
    app: str
    deployment: str
    # The open ports.
    ports: frozenset[int] = frozenset()


def groups_of(*, stack: str) -> list[Group]:
    """The security groups that `open_ports` created for a stack."""
    groups = []
    for each in _groups(stack):
        tags = {tag["Key"]: tag["Value"] for tag in each["Tags"]}
        app, deployment = app_tags.app(tags), tags.get("portcall:deployment", "")
        groups.append(Group(each["GroupId"], app, deployment, frozenset(_ports(each))))
    return groups


def delete_group(group: str) -> bool:
    """Delete a security group, if it exists; False if a network interface still uses it."""
    try:
        client("ec2").delete_security_group(GroupId=group)
    except AwsRefusedError as error:
        if code_of(error) == "DependencyViolation":
            return False
        if code_of(error) != "InvalidGroup.NotFound":
            raise
    return True
