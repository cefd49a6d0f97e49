"""The embedded CloudFormation evaluates the template's conditions like AWS."""

from typing import Any

import pytest
from ministack.services.cloudformation import engine

from localcloud.patches.cloudformation.conditions import _with_strings
from tests.templates import template

TEMPLATE: dict[str, Any] = template()


def evaluated(**changes: str) -> dict[str, bool]:
    values = {name: each.get("Default", "") for name, each in TEMPLATE["Parameters"].items()} | changes
    parameters = {name: {"Value": value} for name, value in values.items()}
    conditions: dict[str, bool] = _with_strings(engine._evaluate_conditions, TEMPLATE, parameters)
    return conditions


@pytest.mark.parametrize(
    ("patterns", "more"),
    [("*", []), ("latest", []), ("latest,pr-*", [2]), ("a,b,c", [2, 3]), ("a,b,c,d,e", [2, 3, 4, 5])],
)
def test_a_list_of_tag_patterns_is_taken_apart(patterns, more):
    found = evaluated(TagPattern=patterns)
    assert [number for number in (2, 3, 4, 5) if found[f"HasTagPattern{number}"]] == more
    assert found["WatchesAnyTag"] is (patterns == "*")
