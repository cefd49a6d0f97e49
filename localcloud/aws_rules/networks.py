"""Checks of addresses, ports and routes: each returns what is wrong, '' for nothing."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

# Top-level domains that are not public: RFC 2606, RFC 6761, RFC 7686, and those of private networks.
_NOT_PUBLIC = {"alt", "arpa", "corp", "example", "home", "internal", "invalid", "lan", "local", "localdomain"}
_NOT_PUBLIC |= {"localhost", "onion", "private", "test"}


def wrong_in_integration_uri(uri: Any) -> str:
    """API Gateway refuses names outside public top-level domains, and most ports below 1024.

    https://github.com/aws/aws-cdk/issues/24017
    https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html (ports)
    """
    text = str(uri)
    if text.startswith("arn:"):
        return ""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "it is not a URL"
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not host:
        return "it is not an http or https URL"
    if port is not None and port not in (80, 443) and port < 1024:
        return "its port is 80, 443, or from 1024 on"
    last = host.rpartition(".")[2]
    if re.fullmatch(r"[\d.]+|[0-9a-f:]+", host):
        return ""
    return (
        "" if "." in host and last not in _NOT_PUBLIC and not last.isdigit() else "its host has no public name"
    )


def wrong_in_ports(rule: dict[str, Any]) -> str:
    protocol = str(rule.get("IpProtocol", "")).lower()
    low, high = rule.get("FromPort"), rule.get("ToPort")
    if protocol not in ("tcp", "udp", "6", "17"):
        return ""
    if low is None or high is None:
        return "TCP and UDP need ports"
    low, high = int(low), int(high)
    return "" if 0 <= low <= high <= 65535 else "ports are from 0 to 65535, the lower one first"


def wrong_in_cidr(block: Any, widest: int = 0, narrowest: int = 32) -> str:
    try:
        network = ipaddress.ip_network(str(block), strict=False)
    except ValueError:
        return "it is not a CIDR block"
    if "/" not in str(block):
        return "it has no prefix length"
    return (
        ""
        if widest <= network.prefixlen <= narrowest or network.version == 6
        else "its prefix is too long or short"
    )


def wrong_in_route(route: dict[str, Any]) -> str:
    """CloudFormation's properties of a route."""
    destinations = {name for name in route if name.startswith("Destination")}
    if len(destinations) != 1:
        return "a route has one destination"
    return "" if len(set(route) - {"RouteTableId", *destinations}) == 1 else "a route has one target"
