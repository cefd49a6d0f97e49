"""What a deployment and an idle month cost by the prices of prices.py: arithmetic only.

ECS, EC2, ECR and Systems Manager bill no calls. The app's own task is not included.
"""

import math
from dataclasses import dataclass

from bench.rates_and_prices import prices

MONTH_SECONDS = prices.HOURS * 3600


@dataclass(frozen=True)
class Use:
    """What something uses. Units of DynamoDB are of 1 KB for a write, of 4 KB for a read."""

    transitions: float = 0
    invocations: float = 0
    gb_seconds: float = 0
    write_units: float = 0
    read_units: float = 0
    publishes: float = 0
    emails: float = 0
    events: float = 0
    log_bytes: float = 0


def cost(use: Use) -> dict[str, float]:
    """USD by service."""
    return {
        "Step Functions": use.transitions * prices.TRANSITION,
        "Lambda": use.invocations * prices.LAMBDA_REQUEST + use.gb_seconds * prices.LAMBDA_GB_SECOND,
        "DynamoDB": use.write_units * prices.DYNAMODB_WRITE + use.read_units * prices.DYNAMODB_READ,
        "SNS": use.publishes * prices.PUBLISH + use.emails * prices.EMAIL,
        "EventBridge": use.events * prices.CUSTOM_EVENT,
        "CloudWatch Logs": use.log_bytes / 1e9 * prices.LOG_GB,
    }


def total(use: Use) -> float:
    """USD."""
    return sum(cost(use).values())


def idle_month(sweep: Use, minutes: float) -> float:
    """USD for a sweep every so many minutes."""
    return total(sweep) * prices.HOURS * 60 / minutes


def load_balancer_month() -> float:
    """USD for an Application Load Balancer that nobody uses, with addresses in two zones."""
    return (prices.LOAD_BALANCER_HOUR + 2 * prices.IPV4_HOUR) * prices.HOURS


def nat_gateway_month() -> float:
    """USD for a NAT gateway that nothing passes, with its address."""
    return (prices.NAT_GATEWAY_HOUR + prices.IPV4_HOUR) * prices.HOURS


def snapstart_month(functions: int, memory_gb: float) -> float:
    """USD to keep a snapshot of one published version of each function, deployments not counted."""
    return functions * memory_gb * MONTH_SECONDS * prices.SNAPSTART_CACHE_GB_SECOND


def snapstart_deployment(restores: int, memory_gb: float) -> float:
    """USD for a deployment that restores so many functions."""
    return restores * memory_gb * prices.SNAPSTART_RESTORED_GB


def provisioned_month(functions: int, memory_gb: float) -> float:
    """USD to keep one environment of each function ready, what runs in it not counted."""
    return functions * memory_gb * MONTH_SECONDS * prices.PROVISIONED_GB_SECOND


def polled_transitions(start_seconds: float, poll_seconds: float, outside: int = 4, each: int = 3) -> int:
    """Transitions of a workflow that waits, asks and decides until a task has started."""
    return outside + each * max(1, math.ceil(start_seconds / poll_seconds))
