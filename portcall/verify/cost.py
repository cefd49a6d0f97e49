"""The price of a run, with the calculation. Prices of us-east-1, November 2026, in US dollars."""

from dataclasses import dataclass

from deployer.domain.fargate import Size

from portcall.core.price import a_month

MINUTES_A_MONTH = 730 * 60
# 0.25 vCPU and 0.5 GB on x86, its public IPv4 included, for a month.
TASK_A_MONTH = a_month(Size(256, 512), architecture="X86_64", capacity="FARGATE").total
# Their use of Step Functions, Lambda, DynamoDB and SNS: docs/performance.md, the price of a cold deployment.
THOUSAND_DEPLOYMENTS = 0.34
MILLION_API_REQUESTS = 1.00
MILLION_QUEUE_REQUESTS = 0.40
REGISTRY_GB_A_MONTH = 0.10

# What a whole run does, estimated high.
RUN_MINUTES = 25
TASKS_AT_ONCE = 2
DEPLOYMENTS = 25
API_REQUESTS = 2_000
QUEUE_REQUESTS = 3_000
REGISTRY_GB = 0.5


@dataclass(frozen=True)
class Item:
    """One line of the bill; `dollars` is its total."""

    what: str
    arithmetic: str
    dollars: float


def items() -> list[Item]:
    """The bill of a whole run, estimated high."""
    minutes = TASKS_AT_ONCE * RUN_MINUTES
    return [
        Item(
            "Fargate tasks with a public IP",
            f"{TASKS_AT_ONCE} x {RUN_MINUTES} min x {TASK_A_MONTH} $/month / {MINUTES_A_MONTH} min",
            minutes * TASK_A_MONTH / MINUTES_A_MONTH,
        ),
        Item(
            "Workflow, functions, table, emails",
            f"{DEPLOYMENTS} deployments x {THOUSAND_DEPLOYMENTS:.2f} $ / 1,000",
            DEPLOYMENTS * THOUSAND_DEPLOYMENTS / 1000,
        ),
        Item(
            "HTTP API",
            f"{API_REQUESTS:,} requests x {MILLION_API_REQUESTS:.2f} $ / 1,000,000",
            API_REQUESTS * MILLION_API_REQUESTS / 1e6,
        ),
        Item(
            "Two queues",
            f"{QUEUE_REQUESTS:,} requests x {MILLION_QUEUE_REQUESTS:.2f} $ / 1,000,000",
            QUEUE_REQUESTS * MILLION_QUEUE_REQUESTS / 1e6,
        ),
        Item(
            "Images in ECR",
            f"{REGISTRY_GB} GB x {RUN_MINUTES} min x {REGISTRY_GB_A_MONTH:.2f} $/month / {MINUTES_A_MONTH} min",
            REGISTRY_GB * RUN_MINUTES * REGISTRY_GB_A_MONTH / MINUTES_A_MONTH,
        ),
    ]


def cents() -> float:
    """The whole bill."""
    return 100 * sum(item.dollars for item in items())
