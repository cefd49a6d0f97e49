"""Checks of values with their own grammar: each returns what is wrong, '' for nothing."""

from __future__ import annotations

import re
from typing import Any

_LIFECYCLE_COUNTS = ("imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned")
_LIFECYCLE_STATUSES = ("tagged", "untagged", "any")
_PATTERN_OPERATORS = {
    "anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard",
}  # fmt: skip
_RATE = re.compile(r"rate\((?:1 (?:minute|hour|day)|(?:[2-9]|[1-9]\d+) (?:minutes|hours|days))\)")
_CRON = re.compile(r"cron\(\S+(?: \S+){5}\)")


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


def wrong_in_workflow(definition: Any) -> str:
    """Check the basics of a definition; `state_language` checks the rest."""
    whole = isinstance(definition, dict) and {"StartAt", "States"} <= set(definition)
    return "" if whole else "it has StartAt and States"
