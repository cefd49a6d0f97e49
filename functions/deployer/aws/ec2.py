"""Amazon EC2: network interfaces."""

from botocore.exceptions import ClientError

from deployer.aws.client import client, errors_as_ours
from deployer.domain.errors import AddressNotReadyError, AwsRefusedError


def addresses(*, interface: str) -> tuple[str, str]:
    """The public and the private IP of a network interface.

    EC2 is eventually consistent: a new interface may be unknown, or without its address, for a moment.
    Raises AddressNotReadyError then.
    """
    try:
        with errors_as_ours():
            answer = client("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])
    except AwsRefusedError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"].startswith(
            "InvalidNetworkInterface"
        ):
            raise AddressNotReadyError(f"The network interface {interface} is not known yet.") from error
        raise
    found = answer["NetworkInterfaces"][0]
    association = found.get("Association") or {}
    if not association.get("PublicIp"):
        raise AddressNotReadyError(f"The network interface {interface} has no public IP yet.")
    return str(association["PublicIp"]), str(found["PrivateIpAddress"])
