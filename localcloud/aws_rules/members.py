"""Checks of members that must fit each other: each returns what is wrong, '' for nothing."""

from __future__ import annotations

import re
from typing import Any

# CPU units: the smallest and the largest memory in MiB, and the step.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
_FARGATE = {
    "512": (1024, 4096, 1024),
    "1024": (2048, 8192, 1024),
    "2048": (4096, 16384, 1024),
    "4096": (8192, 30720, 1024),
    "8192": (16384, 61440, 4096),
    "16384": (32768, 122880, 8192),
}
TASK_IN_STREAM = len("/app/") + 36


def wrong_in_log_prefix(prefix: str) -> str:
    if re.search("[:*]", prefix):
        return "a log stream's name has no : and no *"
    return "" if len(prefix) + TASK_IN_STREAM <= 512 else "it leaves no room for the task"


def wrong_in_fargate_size(request: dict[str, Any]) -> str:
    request = {name[0].lower() + name[1:]: value for name, value in request.items()}  # CloudFormation's names
    if "FARGATE" not in (request.get("requiresCompatibilities") or []):
        return ""
    cpu, memory = str(request.get("cpu", "")), str(request.get("memory", ""))
    if not memory.isdecimal():
        return "Fargate needs a memory, in MiB"
    if cpu == "256":
        return "" if memory in ("512", "1024", "2048") else "with 256, memory is 512, 1024 or 2048"
    if cpu not in _FARGATE:
        return "Fargate has no such CPU"
    least, most, step = _FARGATE[cpu]
    fits = least <= int(memory) <= most and (int(memory) - least) % step == 0
    return "" if fits else f"with {cpu}, memory is from {least} to {most} in steps of {step}"


def wrong_in_keys(table: dict[str, Any]) -> str:
    defined = {each.get("AttributeName") for each in table.get("AttributeDefinitions") or []}
    indexes = [*(table.get("GlobalSecondaryIndexes") or []), *(table.get("LocalSecondaryIndexes") or [])]
    schemas = [table.get("KeySchema") or [], *(index.get("KeySchema") or [] for index in indexes)]
    keys = {key.get("AttributeName") for schema in schemas for key in schema}
    if keys != defined:
        return "the attributes that are defined are those of the keys"
    if not all([key.get("KeyType") for key in schema] in (["HASH"], ["HASH", "RANGE"]) for schema in schemas):
        return "a key is a HASH, or a HASH and a RANGE"
    if table.get("BillingMode", "PROVISIONED") == "PROVISIONED" and not table.get("ProvisionedThroughput"):
        return "PROVISIONED needs its throughput"
    expires = table.get("TimeToLiveSpecification") or {}
    is_on = str(expires.get("Enabled", "")).lower() == "true"
    return "a time to live needs its attribute" if is_on and not expires.get("AttributeName") else ""


def wrong_in_subscription(request: dict[str, Any]) -> str:
    """https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html"""
    protocol, endpoint = str(request.get("Protocol", "")), str(request.get("Endpoint", ""))
    fitting = {
        "email": r"[^@\s]+@[^@\s]+",
        "email-json": r"[^@\s]+@[^@\s]+",
        "http": r"http://\S+",
        "https": r"https://\S+",
        "sqs": r"arn:[^:]+:sqs:\S+",
        "lambda": r"arn:[^:]+:lambda:\S+",
        "firehose": r"arn:[^:]+:firehose:\S+",
    }
    pattern = fitting.get(protocol, ".*")
    return "" if re.fullmatch(pattern, endpoint) else f"{protocol} needs another kind of endpoint"


def wrong_in_queue(queue: dict[str, Any]) -> str:
    """CloudFormation's properties of a queue."""
    name, is_fifo = str(queue.get("QueueName", "")), str(queue.get("FifoQueue", "")).lower() == "true"
    if name and name.endswith(".fifo") is not is_fifo:
        return "the name of a FIFO queue ends with .fifo, and of no other"
    redrive = queue.get("RedrivePolicy")
    complete = not isinstance(redrive, dict) or {"deadLetterTargetArn", "maxReceiveCount"} <= set(redrive)
    return "" if complete else "a redrive policy has a queue and a count"
