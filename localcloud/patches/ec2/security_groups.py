"""Errors of EC2 about security groups.

MiniStack: deletes a group in use, accepts a rule twice, and revokes rules that do not exist.
AWS: answers DependencyViolation, InvalidPermission.Duplicate and InvalidPermission.NotFound.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
Upstream: none known, ready to send:
    docs/upstream/ec2-duplicate-rule.md
    docs/upstream/ec2-security-group-in-use.md
Kind: fidelity
"""

from __future__ import annotations

from typing import Any

from ministack.services import ec2

from localcloud.patches.patch import Function, patch, patch_resource


@patch(ec2, "_authorize_sg_ingress")
def _refuse_known_rules(original: Function, params: dict[str, Any]) -> Any:
    group = ec2._security_groups.get(ec2._p(params, "GroupId")) or {}
    for rule in ec2._parse_ip_permissions(params, "IpPermissions"):
        for source in rule.get("UserIdGroupPairs", []):
            if source["GroupId"] not in ec2._security_groups:
                message = f"The security group '{source['GroupId']}' does not exist"
                return ec2._error("InvalidGroup.NotFound", message, 400)
        if _is_in(group, rule):
            message = f"the specified rule {_described(rule)} already exists"
            return ec2._error("InvalidPermission.Duplicate", message, 400)
    return original(params)


@patch(ec2, "_revoke_sg_ingress")
def _refuse_unknown_rules(original: Function, params: dict[str, Any]) -> Any:
    group = ec2._security_groups.get(ec2._p(params, "GroupId"))
    # In the default VPC, EC2 accepts it.
    if group and group["VpcId"] != ec2._DEFAULT_VPC_ID:
        for rule in ec2._parse_ip_permissions(params, "IpPermissions"):
            if not _is_in(group, rule):
                message = "The specified rule does not exist in this security group."
                return ec2._error("InvalidPermission.NotFound", message, 400)
    return original(params)


@patch(ec2, "_delete_security_group")
def _refuse_while_in_use(original: Function, params: dict[str, Any]) -> Any:
    group_id = ec2._p(params, "GroupId")
    if _is_in_use(group_id):
        return ec2._error("DependencyViolation", f"resource {group_id} has a dependent object", 400)
    return original(params)


@patch_resource("AWS::EC2::SecurityGroup", "delete")
def _refuse_to_cloudformation_too(original: Function, physical_id: str, properties: Any) -> None:
    if _is_in_use(physical_id):
        raise RuntimeError(f"resource {physical_id} has a dependent object (DependencyViolation)")
    original(physical_id, properties)


def _is_in_use(group_id: str) -> bool:
    """Whether a network interface is in the group, or a rule of another names it."""
    attached = any(
        group["GroupId"] == group_id
        for interface in ec2._network_interfaces.values()
        for group in interface.get("Groups", [])
    )
    return attached or any(
        source["GroupId"] == group_id
        for group in ec2._security_groups.values()
        for rule in group["IpPermissions"] + group["IpPermissionsEgress"]
        for source in rule.get("UserIdGroupPairs", [])
        if group["GroupId"] != group_id
    )


def _is_in(group: dict[str, Any], rule: dict[str, Any]) -> bool:
    return any(ec2._rules_match(rule, known) for known in group.get("IpPermissions", []))


def _described(rule: dict[str, Any]) -> str:
    peers = [each.get("CidrIp") for each in rule.get("IpRanges", [])]
    peers += [each["GroupId"] for each in rule.get("UserIdGroupPairs", [])]
    ports = f"from port: {rule.get('FromPort')}, to port: {rule.get('ToPort')}"
    return f'"peer: {", ".join(map(str, peers))}, {rule["IpProtocol"].upper()}, {ports}, ALLOW"'
