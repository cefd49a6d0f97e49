"""Checks of values with their own grammar: each returns what is wrong, '' for nothing."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

# Top-level domains that are not public: RFC 2606, RFC 6761, RFC 7686, and those of private networks.
_NOT_PUBLIC = {"alt", "arpa", "corp", "example", "home", "internal", "invalid", "lan", "local", "localdomain"}
_NOT_PUBLIC |= {"localhost", "onion", "private", "test"}

_LIFECYCLE_COUNTS = ("imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned")
_LIFECYCLE_STATUSES = ("tagged", "untagged", "any")

_PATTERN_OPERATORS = {
    "anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard",
}  # fmt: skip

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
_RATE = re.compile(r"rate\((?:1 (?:minute|hour|day)|(?:[2-9]|[1-9]\d+) (?:minutes|hours|days))\)")
_CRON = re.compile(r"cron\(\S+(?: \S+){5}\)")
_STATEMENT = {"Sid", "Effect", "Condition"} | {
    f"{negated}{name}" for name in ("Action", "Resource", "Principal") for negated in ("", "Not")
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
_CONDITION = re.compile(
    "(?:(?:ForAllValues|ForAnyValue):)?(?:String(?:Not)?(?:Equals(?:IgnoreCase)?|Like)"
    "|(?:Numeric|Date)(?:(?:Not)?Equals|LessThan(?:Equals)?|GreaterThan(?:Equals)?)"
    "|Bool|BinaryEquals|(?:Not)?IpAddress|Arn(?:Not)?(?:Equals|Like)|Null)(?:IfExists)?"
)
TASK_IN_STREAM = len("/app/") + 36


def wrong_in_lifecycle_policy(policy: Any) -> str:
    """https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html"""
    if not isinstance(policy, dict) or set(policy) != {"rules"} or not isinstance(policy["rules"], list):
        return "it has rules, and nothing else"
    priorities = []
    for rule in policy["rules"]:
        if not isinstance(rule, dict) or not set(rule) <= {
            "rulePriority",
            "description",
            "selection",
            "action",
        }:
            return "a rule has a priority, a description, a selection and an action"
        priority, selection, action = (rule.get(name) for name in ("rulePriority", "selection", "action"))
        if not isinstance(priority, int) or priority < 1:
            return "a rule has a priority from 1 on"
        priorities.append(priority)
        if not isinstance(selection, dict) or not isinstance(action, dict):
            return "a rule has a selection and an action"
        if action.get("type") not in ("expire", "transition"):
            return "an action is expire or transition"
        if wrong := _wrong_in_selection(selection):
            return wrong
    if not priorities:
        return "there is a rule at least"
    return "" if len(set(priorities)) == len(priorities) else "no two rules have the same priority"


def _wrong_in_selection(selection: dict[str, Any]) -> str:
    known = {
        "tagStatus",
        "tagPrefixList",
        "tagPatternList",
        "storageClass",
        "countType",
        "countUnit",
        "countNumber",
    }
    if not set(selection) <= known:
        return "a selection has nothing else"
    if selection.get("tagStatus") not in _LIFECYCLE_STATUSES:
        return "tagStatus is tagged, untagged or any"
    if selection["tagStatus"] == "tagged" and not (
        selection.get("tagPrefixList") or selection.get("tagPatternList")
    ):
        return "tagged needs tagPrefixList or tagPatternList"
    count = selection.get("countType")
    if count not in _LIFECYCLE_COUNTS:
        return "countType is one of " + ", ".join(_LIFECYCLE_COUNTS)
    if (count == "imageCountMoreThan") == ("countUnit" in selection):
        return "countUnit goes with time, and only with it"
    number = selection.get("countNumber")
    if selection.get("countUnit", "days") != "days":
        return "countUnit is days"
    return "" if isinstance(number, int) and number >= 1 else "countNumber is 1 at least"


def wrong_in_event_pattern(pattern: Any) -> str:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html"""
    if not isinstance(pattern, dict) or not pattern:
        return "it is an object that names a field at least"
    for name, value in pattern.items():
        if name == "$or":
            alternatives = value if isinstance(value, list) else []
            wrongs = [wrong_in_event_pattern(each) for each in alternatives]
            wrong = next(
                filter(None, wrongs), "" if len(alternatives) > 1 else "$or has two alternatives at least"
            )
        elif isinstance(value, dict):
            wrong = wrong_in_event_pattern(value)
        elif isinstance(value, list) and value:
            wrong = next(filter(None, map(_wrong_in_match, value)), "")
        else:
            wrong = f"{name} is a list of what matches, or an object"
        if wrong:
            return wrong
    return ""


def _wrong_in_match(match: Any) -> str:
    if not isinstance(match, dict):
        return "" if match is None or isinstance(match, str | int | float | bool) else "a list stands in a list"
    if len(match) != 1 or not set(match) <= _PATTERN_OPERATORS:
        return "an operator is one of " + ", ".join(sorted(_PATTERN_OPERATORS))
    ((operator, value),) = match.items()
    if operator == "exists":
        return "" if isinstance(value, bool) else "exists is true or false"
    if operator == "wildcard":
        return "" if isinstance(value, str) and "**" not in value else "a wildcard has no two * side by side"
    if operator in ("prefix", "suffix", "equals-ignore-case") and isinstance(value, str) and not value:
        return f"{operator} is not empty"
    return "" if value not in (None, [], {}) else f"{operator} has a value"


def wrong_in_schedule(expression: Any) -> str:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html"""
    text = str(expression)
    if _RATE.fullmatch(text):
        return ""
    if not _CRON.fullmatch(text):
        return "it is rate(value unit), with a unit in the singular for 1 alone, or cron with six fields"
    _, _, day, _, weekday, _ = text[len("cron(") : -1].split()
    return "" if (day == "?") != (weekday == "?") else "one of day-of-month and day-of-week is ?, and only one"


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


def wrong_in_policy(policy: Any) -> str:
    """Check the grammar of a policy, not whether its actions exist.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    if not isinstance(policy, dict) or not set(policy) <= {"Version", "Id", "Statement"}:
        return "it has a Version, an Id and statements, and nothing else"
    if policy.get("Version", "2012-10-17") not in ("2012-10-17", "2008-10-17"):
        return "its version is 2012-10-17"
    statements = policy.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        return "it has a statement at least"
    wrongs = [_wrong_in_statement(each) for each in statements]
    sids = [each["Sid"] for each in statements if isinstance(each, dict) and each.get("Sid")]
    return next(
        filter(None, wrongs), "" if len(set(sids)) == len(sids) else "no two statements have the same Sid"
    )


def _wrong_in_statement(statement: Any) -> str:
    if not isinstance(statement, dict) or not set(statement) <= _STATEMENT:
        return "a statement has no other members"
    if statement.get("Effect") not in ("Allow", "Deny"):
        return "an effect is Allow or Deny"
    if ("Action" in statement) == ("NotAction" in statement):
        return "a statement has one of Action and NotAction"
    actions = statement.get("Action", statement.get("NotAction"))
    actions = actions if isinstance(actions, list) else [actions]
    if not actions or not all(re.fullmatch(r"\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+", str(each)) for each in actions):
        return "an action is service:Name"
    if not re.fullmatch(r"[a-zA-Z0-9]*", statement.get("Sid", "")):
        return "a Sid has letters and digits alone"
    resources = statement.get("Resource", statement.get("NotResource", []))
    resources = resources if isinstance(resources, list) else [resources]
    if not all(re.fullmatch(r"(?s)\*|arn:.*", str(each)) for each in resources):
        return "a resource is an ARN, or *"
    condition = statement.get("Condition", {})
    if not isinstance(condition, dict):
        return "a condition is an object"
    known = all(_CONDITION.fullmatch(operator) for operator in condition)
    return "" if known else "a condition has an operator of IAM"


def wrong_in_identity_policy(policy: Any) -> str:
    """Check a policy of a role or a user, which has no principal."""
    return wrong_in_policy(policy) or _wrong_about(policy, "Resource", "Principal")


def wrong_in_trust_policy(policy: Any) -> str:
    """Check a role's trust policy."""
    return wrong_in_policy(policy) or _wrong_about(policy, "Principal", "Resource")


def _wrong_about(policy: dict[str, Any], needed: str, forbidden: str) -> str:
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    for each in statements:
        if not {needed, f"Not{needed}"} & set(each) or {forbidden, f"Not{forbidden}"} & set(each):
            return f"a statement has a {needed}, and no {forbidden}"
    return ""


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


def wrong_in_route(route: dict[str, Any]) -> str:
    """CloudFormation's properties of a route."""
    destinations = {name for name in route if name.startswith("Destination")}
    if len(destinations) != 1:
        return "a route has one destination"
    return "" if len(set(route) - {"RouteTableId", *destinations}) == 1 else "a route has one target"


def wrong_in_workflow(definition: Any) -> str:
    """Check the basics of a definition; `state_language` checks the rest."""
    whole = isinstance(definition, dict) and {"StartAt", "States"} <= set(definition)
    return "" if whole else "it has StartAt and States"
