"""What the embedded cloud says of a workflow's definition, where it cannot do what Step Functions does."""

from typing import Any

import pytest

from localcloud.state_language import problems


def passing(**fields: Any) -> dict[str, Any]:
    return {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True, **fields}}}


@pytest.mark.parametrize(
    "fields",
    [
        {"Parameters": {"found.$": "$.apps[?(@.name == 'a')]"}},
        {"InputPath": "$.apps[?(@.size > 1)].name"},
        {"Parameters": {"all": [{"found.$": "$.apps[?(@.name == 'a')].url"}]}},
    ],
)
def test_a_filter_is_refused_because_the_embedded_cloud_has_none(fields: dict[str, Any]) -> None:
    (said,) = problems(passing(**fields))
    assert "Step Functions accepts this filter, but the embedded cloud has none" in said
    assert "$.apps[?(" in said


def test_a_path_without_a_filter_is_accepted() -> None:
    assert problems(passing(Parameters={"found.$": "$.apps[*].name", "text": "[?(@.a == 1)]"})) == []
