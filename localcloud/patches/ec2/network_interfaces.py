"""A network interface with a public IP for each task.

MiniStack: gives a task an address, but no interface that EC2 knows.
AWS: attaches an interface, which DescribeNetworkInterfaces shows with its public IP.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-networking.html
Upstream: none known, ready to send:
    docs/upstream/ec2-network-interface-filters.md
Kind: core
"""

from __future__ import annotations

import json
import random
import secrets
from typing import Any

from ministack.core.concurrency import resource_lock
from ministack.core.responses import get_account_id, get_region, json_response, new_uuid
from ministack.services import ec2, ecs

from localcloud.patches.patch import Function, patch


class RequestedSubnet(str):
    """The subnet of a RunTask request, with the rest of the request's awsvpcConfiguration.

    MiniStack keeps only this string of the request, and passes it to the thread that starts the task.
    """

    security_groups: tuple[str, ...] = ()
    public: bool = False


@patch(ecs, "_requested_subnet")
def _with_configuration(original: Function, data: dict[str, Any]) -> RequestedSubnet | None:
    subnet = original(data)
    if subnet is None:
        return None
    configuration = data["networkConfiguration"]["awsvpcConfiguration"]
    requested = RequestedSubnet(subnet)
    requested.security_groups = tuple(configuration.get("securityGroups") or ())
    requested.public = configuration.get("assignPublicIp") == "ENABLED"
    return requested


@patch(ecs, "_run_task")
def _answer_with_subnet(original: Function, data: dict[str, Any]) -> Any:
    status, _headers, body = original(data)
    answer = json.loads(body)
    for shown in answer.get("tasks", []):
        task = ecs._tasks.get(shown["taskArn"])
        if task and task.get("_network_mode") == "awsvpc":
            with resource_lock("ecs-task", task["taskArn"]):
                attachment = _attachment(task)
            details = [{"name": "subnetId", "value": str(task["_subnet"])}] if task["_subnet"] else []
            shown["attachments"] = [{**attachment, "status": "PRECREATED", "details": details}]
    return json_response(answer, status)


def _attachment(task: dict[str, Any]) -> dict[str, Any]:
    """The task's attachment, created by the first of the request's and the task's thread that needs it."""
    if not task["attachments"]:
        details = [{"name": "subnetId", "value": str(task["_subnet"])}] if task.get("_subnet") else []
        task["attachments"] = [
            {"id": new_uuid(), "type": "ElasticNetworkInterface", "status": "PRECREATED", "details": details}
        ]
    attachment: dict[str, Any] = task["attachments"][0]
    return attachment


@patch(ecs, "_record_task_ip")
def _attach(original: Function, task: dict[str, Any], container: Any, ecs_network: Any) -> None:
    if task.get("_network_mode") != "awsvpc":
        original(task, container, ecs_network)
        return
    # A container that ended at once has no address. On AWS its interface still has one.
    address = ecs._container_ip(container, ecs_network) or address_of_nobody()
    with resource_lock("ecs-task", task["taskArn"]):
        if task.get("_container_ip"):
            return
        task["_container_ip"] = address
        attachment = _attachment(task)
        interface = _create_interface(task, attachment["id"], address)
        attachment["status"] = "ATTACHED"
        attachment["details"] = [
            {"name": "subnetId", "value": interface["SubnetId"]},
            {"name": "networkInterfaceId", "value": interface["NetworkInterfaceId"]},
            {"name": "macAddress", "value": interface["MacAddress"]},
            {
                "name": "privateDnsName",
                "value": f"ip-{address.replace('.', '-')}.{get_region()}.compute.internal",
            },
            {"name": "privateIPv4Address", "value": address},
        ]
        for each in task["containers"]:
            each["networkInterfaces"] = [{"attachmentId": attachment["id"], "privateIpv4Address": address}]


def address_of_nobody() -> str:
    """One of MCAST-TEST-NET (RFC 6676): nothing can connect to it.

    In some networks a proxy answers for every other address, even those of TEST-NET-1 to 3.
    """
    return f"233.252.0.{random.randint(1, 254)}"  # noqa: S311 - an address, no secret


def _create_interface(task: dict[str, Any], attachment_id: str, address: str) -> dict[str, Any]:
    requested = task.get("_subnet") or RequestedSubnet(ec2._DEFAULT_SUBNET_ID)
    subnet = ec2._subnets.get(str(requested), {})
    interface = {
        "NetworkInterfaceId": f"eni-0{secrets.token_hex(8)}",
        "SubnetId": str(requested),
        "VpcId": subnet.get("VpcId", ec2._DEFAULT_VPC_ID),
        "AvailabilityZone": subnet.get("AvailabilityZone", f"{get_region()}a"),
        "Description": f"arn:aws:ecs:{get_region()}:{get_account_id()}:attachment/{attachment_id}",
        "OwnerId": get_account_id(),
        "Status": "in-use",
        "PrivateIpAddress": address,
        "InterfaceType": "interface",
        "SourceDestCheck": True,
        "MacAddress": ":".join(["0a", *(f"{byte:02x}" for byte in secrets.token_bytes(5))]),
        "Groups": [
            {"GroupId": group, "GroupName": ec2._security_groups.get(group, {}).get("GroupName", group)}
            for group in requested.security_groups or (ec2._DEFAULT_SG_ID,)
        ],
        "Attachment": None,
        # On Linux the host, and only the host, can reach the container at its bridge address.
        "PublicIp": address if requested.public else None,
    }
    ec2._network_interfaces[interface["NetworkInterfaceId"]] = interface
    return interface


@patch(ecs, "_mark_task_stopped")
def _detach(original: Function, task_arn: str, task: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    stopped = original(task_arn, task, *args, **kwargs)
    if stopped:
        for attachment in task["attachments"]:
            attachment["status"] = "DELETED"
            for detail in attachment["details"]:
                if detail["name"] == "networkInterfaceId":
                    ec2._network_interfaces.pop(detail["value"], None)
    return stopped


@patch(ec2, "_eni_fields_xml")
def _show_public_ip(original: Function, eni: dict[str, Any], tag: str = "item") -> str:
    xml = str(original(eni, tag))
    if not eni.get("PublicIp"):
        return xml
    association = (
        f"<association><publicIp>{eni['PublicIp']}</publicIp><publicDnsName></publicDnsName>"
        f"<ipOwnerId>amazon</ipOwnerId></association>"
    )
    # For the interface, and for its only private address.
    xml = xml.replace("<primary>true</primary>", f"<primary>true</primary>{association}")
    head, end, _ = xml.rpartition(f"</{tag}>")
    return f"{head}{association}{end}"


@patch(ec2, "_describe_network_interfaces")
def _refuse_unknown_and_filter(original: Function, params: dict[str, Any]) -> Any:
    """MiniStack leaves unknown ids out and ignores every filter."""
    ids = ec2._parse_member_list(params, "NetworkInterfaceId")
    filters = ec2._parse_filters(params)
    for each in ids:
        if each not in ec2._network_interfaces:
            message = f"The networkInterface ID '{each}' does not exist"
            return ec2._error("InvalidNetworkInterfaceID.NotFound", message, 400)
    if not filters:
        return original(params)
    found = [
        eni
        for eni in ec2._network_interfaces.values()
        if (not ids or eni["NetworkInterfaceId"] in ids) and _matches(eni, filters)
    ]
    items = "".join(ec2._eni_fields_xml(eni) for eni in found)
    return ec2._xml(
        200, "DescribeNetworkInterfacesResponse", f"<networkInterfaceSet>{items}</networkInterfaceSet>"
    )


def _matches(eni: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    values = {
        "network-interface-id": [eni["NetworkInterfaceId"]],
        "subnet-id": [eni["SubnetId"]],
        "vpc-id": [eni["VpcId"]],
        "status": [eni["Status"]],
        "description": [eni["Description"]],
        "group-id": [group["GroupId"] for group in eni["Groups"]],
        "private-ip-address": [eni["PrivateIpAddress"]],
        "association.public-ip": [eni.get("PublicIp")],
    }
    return all(set(wanted) & set(values.get(name, wanted)) for name, wanted in filters.items())
