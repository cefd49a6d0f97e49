"""Checks of IAM's policies: each returns what is wrong, '' for nothing."""

from __future__ import annotations

import re
from typing import Any

_STATEMENT = {"Sid", "Effect", "Condition"} | {
    f"{negated}{name}" for name in ("Action", "Resource", "Principal") for negated in ("", "Not")
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
_CONDITION = re.compile(
    "(?:(?:ForAllValues|ForAnyValue):)?(?:String(?:Not)?(?:Equals(?:IgnoreCase)?|Like)"
    "|(?:Numeric|Date)(?:(?:Not)?Equals|LessThan(?:Equals)?|GreaterThan(?:Equals)?)"
    "|Bool|BinaryEquals|(?:Not)?IpAddress|Arn(?:Not)?(?:Equals|Like)|Null)(?:IfExists)?"
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
