"""Conditions of a template that split and build strings.

MiniStack: knows Ref and Fn::Select in conditions.
AWS: knows Fn::Sub and Fn::Split as well.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html
Upstream: none known, ready to send:
    docs/upstream/cloudformation-split-in-conditions.md
Kind: core
"""

from __future__ import annotations

import re
from typing import Any

from ministack.services.cloudformation import changesets, engine, handlers, stacks

from localcloud.patches.patch import Function, patch


@patch(engine, "_evaluate_conditions")
@patch(changesets, "_evaluate_conditions")
@patch(handlers, "_evaluate_conditions")
@patch(stacks, "_evaluate_conditions")
def _with_strings(original: Function, template: dict[str, Any], parameters: dict[str, Any]) -> Any:
    values = {name: str(each["Value"]) for name, each in parameters.items()}
    conditions = {name: _worked_out(each, values) for name, each in template.get("Conditions", {}).items()}
    return original({**template, "Conditions": conditions}, parameters)


def _worked_out(expression: Any, values: dict[str, str]) -> Any:
    """The expression with `Fn::Sub` and `Fn::Split` replaced by their values, from the inside out."""
    match expression:
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)
        case {"Fn::Split": [separator, text]}:
            inner = _worked_out(text, values)
            if isinstance(inner, dict) and inner.get("Ref") in values:
                inner = values[inner["Ref"]]
            return inner.split(separator) if isinstance(inner, str) else {"Fn::Split": [separator, inner]}
        case dict():
            return {name: _worked_out(each, values) for name, each in expression.items()}
        case list():
            return [_worked_out(each, values) for each in expression]
    return expression
