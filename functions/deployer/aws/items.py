"""Converts to and from DynamoDB's typed JSON, for the few types that the ledger uses.

boto3's serializer turns each number into a Decimal; here they are int.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

# DynamoDB has no schema: an attribute has the type that the module which reads it has written.
Item = dict[str, Any]


def wire(item: Mapping[str, object]) -> "dict[str, AttributeValueTypeDef]":
    """`{"n": 1}` becomes `{"n": {"N": "1"}}`. Takes str, int, None, list, dict and sets of str."""
    return {name: _typed(value) for name, value in item.items()}


def plain(item: "Mapping[str, AttributeValueTypeDef]") -> Item:
    """The inverse of `wire`; numbers become int."""
    return {name: _untyped(value) for name, value in item.items()}


def _typed(value: object) -> "AttributeValueTypeDef":
    match value:
        case str():
            return {"S": value}
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case set():
            return {"SS": sorted(value)}
        case list():
            return {"L": [_typed(each) for each in value]}
        case dict():
            return {"M": wire(value)}
    raise TypeError(f"The ledger holds no {type(value).__name__}.")


def _untyped(value: "AttributeValueTypeDef") -> Any:
    kind: str
    content: Any
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return content
        case "N":
            return int(content)
        case "SS":
            return set(content)
        case "L":
            return [_untyped(each) for each in content]
        case "M":
            return plain(content)
        case "NULL":
            return None
    return content
