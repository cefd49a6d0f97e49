"""Values survive the conversion to DynamoDB's typed JSON and back."""

import pytest
from deployer.aws.items import plain, wire
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), VALUES))
def test_there_and_back(item):
    assert plain(wire(item)) == item


def test_agrees_with_boto3():
    from boto3.dynamodb.types import TypeSerializer

    item = {"text": "x", "number": 7, "none": None, "list": ["a", 1], "map": {"deep": [{}]}}
    assert wire(item) == TypeSerializer().serialize(item)["M"]


def test_refuses_what_dynamodb_would_round():
    with pytest.raises(TypeError, match="float"):
        wire({"seconds": 1.5})
