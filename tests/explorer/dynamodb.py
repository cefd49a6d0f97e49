"""A DynamoDB table in memory, with condition, update and key expressions."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.exceptions import ClientError
from deployer.aws.items import plain, wire

Item = dict[str, Any]
Names = dict[str, str]
# An item, and an expression's names and values.
Term = Callable[[Item, Names, Item], Any]

# Seconds after which all reads see a write.
LAGS = 1.0

# The condition of a query of the table itself begins with it.
PARTITION = re.compile(r"pk = (:\w+)")
TOKEN = re.compile(r"\s*([#:]?[A-Za-z_0-9.]+|<>|<=|>=|[=<>(),+-])")
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: bool(one == other),
    "<>": lambda one, other: bool(one != other),
    "<": lambda one, other: bool(one is not None and one < other),
    "<=": lambda one, other: bool(one is not None and one <= other),
    ">": lambda one, other: bool(one is not None and one > other),
    ">=": lambda one, other: bool(one is not None and one >= other),
}


class Table:
    """The items of a table, with one index, by `listed`.

    If it is `stale`, the index and inconsistent reads show the state of a moment ago.
    """

    def __init__(self, now: Callable[[], float] = lambda: 0.0, *, stale: bool = False) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self._now, self._stale = now, stale
        # UNIX seconds.
        self.created_at = now()
        # The items as they were last read: most are read several times before they change.
        self._read: dict[tuple[str, str], tuple[Item, Item]] = {}
        # Key -> (since when in UNIX seconds, the item, None if it did not exist).
        self._written: dict[tuple[str, str], list[tuple[float, Item | None]]] = {}

    def describe_table(self, **_: Any) -> Item:
        return {"Table": {"CreationDateTime": datetime.fromtimestamp(self.created_at, UTC)}}

    def put(self, items: Iterable[Item]) -> None:
        """Write these as they are."""
        for item in items:
            self._write((item["pk"], item["sk"]), item)

    def get_item(self, *, Key: Item, ConsistentRead: bool = False, **_: Any) -> Item:
        found = self._seen(_key(Key), ConsistentRead)
        return {"Item": self._wire(found)} if found else {}

    def put_item(self, *, Item: Item, **request: Any) -> Item:
        key = _key(Item)
        self._check("PutItem", key, request)
        self._write(key, plain(Item))
        return {}

    def delete_item(self, *, Key: Item, **request: Any) -> Item:
        key = _key(Key)
        self._check("DeleteItem", key, request)
        self._write(key, None)
        return {}

    def update_item(self, *, Key: Item, **request: Any) -> Item:
        key = _key(Key)
        self._check("UpdateItem", key, request)
        before = self.items.get(key)
        # Items below this are never changed in place.
        after = dict(before) if before else plain(Key)
        names, values = request.get("ExpressionAttributeNames", {}), _values(request)
        for change in _changes(request["UpdateExpression"]):
            change(after, before or {}, names, values)
        self._write(key, after)
        shown = {"ALL_NEW": after, "ALL_OLD": before}.get(request.get("ReturnValues", ""))
        return {"Attributes": self._wire(shown)} if shown else {}

    def batch_get_item(self, *, RequestItems: dict[str, Item], **_: Any) -> Item:
        found = {
            table: [self._seen(_key(key), asked.get("ConsistentRead", False)) for key in asked["Keys"]]
            for table, asked in RequestItems.items()
        }
        return {
            "Responses": {
                table: [self._wire(each) for each in items if each] for table, items in found.items()
            },
            "UnprocessedKeys": {},
        }

    def query(self, *, KeyConditionExpression: str, ConsistentRead: bool = False, **request: Any) -> Item:
        holds = _condition(KeyConditionExpression)
        names, values = request.get("ExpressionAttributeNames", {}), _values(request)
        keys = {*self.items, *self._written}
        if partition := PARTITION.match(KeyConditionExpression):
            keys = {key for key in keys if key[0] == values[partition[1]]}
        there = [self._seen(key, ConsistentRead) for key in sorted(keys)]
        found = [item for item in there if item and holds(item, names, values)]
        if "IndexName" in request:
            found.sort(key=lambda item: item["sk"])
        if not request.get("ScanIndexForward", True):
            found.reverse()
        if "ExclusiveStartKey" in request:
            last = _key(request["ExclusiveStartKey"])
            found = found[[(each["pk"], each["sk"]) for each in found].index(last) + 1 :]
        page = found[: request.get("Limit")]
        answer: Item = {"Items": [self._wire(item) for item in page]}
        if len(page) < len(found):
            of_key = ("pk", "sk", "listed") if "IndexName" in request else ("pk", "sk")
            answer["LastEvaluatedKey"] = wire({name: page[-1][name] for name in of_key})
        return answer

    def scan(self, **_: Any) -> Item:
        return {"Items": [self._wire(item) for item in self.items.values()]}

    def transact_write_items(self, *, TransactItems: list[Item], **_: Any) -> Item:
        reasons = []
        for each in TransactItems:
            ((_, request),) = each.items()
            reasons.append("None" if self._holds(_key(request.get("Key") or request["Item"]), request) else "ConditionalCheckFailed")  # fmt: skip
        if set(reasons) != {"None"}:
            answer: Any = {
                "Error": {"Code": "TransactionCanceledException", "Message": f"{reasons}"},
                "CancellationReasons": [{"Code": reason} for reason in reasons],
            }
            raise ClientError(answer, "TransactWriteItems")
        operations = {"Put": self.put_item, "Update": self.update_item, "Delete": self.delete_item}
        for each in TransactItems:
            ((kind, request),) = each.items()
            if kind in operations:
                operations[kind](**request)
        return {}

    def _wire(self, item: Item) -> Item:
        key = item["pk"], item["sk"]
        if self._read.get(key, (None,))[0] is not item:
            # Items are never changed in place.
            self._read[key] = item, wire(item)
        return self._read[key][1]

    def _write(self, key: tuple[str, str], item: Item | None) -> None:
        if item is None:
            self.items.pop(key, None)
        else:
            self.items[key] = item
        if self._stale:
            self._written.setdefault(key, []).append((self._now(), item))

    def _seen(self, key: tuple[str, str], consistent: bool) -> Item | None:
        if consistent or not self._stale:
            return self.items.get(key)
        then = self._now() - LAGS
        return next((item for since, item in reversed(self._written.get(key, [])) if since <= then), None)

    def _holds(self, key: tuple[str, str], request: Item) -> bool:
        if "ConditionExpression" not in request:
            return True
        names = request.get("ExpressionAttributeNames", {})
        condition = _condition(request["ConditionExpression"])
        return bool(condition(self.items.get(key, {}), names, _values(request)))

    def _check(self, operation: str, key: tuple[str, str], request: Item) -> None:
        if self._holds(key, request):
            return
        answer: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": "does not hold"}}
        if request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and key in self.items:
            answer["Item"] = self._wire(self.items[key])
        raise ClientError(answer, operation)


def _key(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _values(request: Item) -> Item:
    return plain(request.get("ExpressionAttributeValues", {}))


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = TOKEN.findall(text)
        if "".join(self.tokens) != re.sub(r"\s+", "", text):
            raise ValueError(f"not understood: {text}")
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise ValueError(f"{token!r} for {expected!r} in {' '.join(self.tokens)}")
        self.at += 1
        return token

    def listed(self, one: Callable[[], Any]) -> list[Any]:
        found = [one()]
        while self.peek() == ",":
            self.next()
            found.append(one())
        return found

    def arguments(self) -> list[Term]:
        self.next("(")
        found = self.listed(self.operand)
        self.next(")")
        return found

    def either(self) -> Term:
        found = [self.both()]
        while self.peek() == "OR":
            self.next()
            found.append(self.both())
        return lambda *of: any(each(*of) for each in found)

    def both(self) -> Term:
        found = [self.one()]
        while self.peek() == "AND":
            self.next()
            found.append(self.one())
        return lambda *of: all(each(*of) for each in found)

    def one(self) -> Term:
        if self.peek() == "NOT":
            self.next()
            negated = self.one()
            return lambda *of: not negated(*of)
        if self.peek() == "(":
            self.next()
            inner = self.either()
            self.next(")")
            return inner
        if self.peek() in ("attribute_exists", "attribute_not_exists"):
            wanted = self.next() == "attribute_exists"
            (there,) = self.arguments()
            return lambda *of: (there(*of) is not None) == wanted
        if self.peek() == "contains":
            self.next()
            whole, part = self.arguments()
            return lambda *of: part(*of) in (whole(*of) or ())
        if self.peek() == "begins_with":
            self.next()
            text, start = self.arguments()
            return lambda *of: str(text(*of) or "").startswith(start(*of))
        left, operator = self.operand(), self.next()
        if operator == "IN":
            several = self.arguments()
            return lambda *of: left(*of) in [each(*of) for each in several]
        compare, right = COMPARISONS[operator], self.operand()
        return lambda *of: compare(left(*of), right(*of))

    def operand(self) -> Term:
        token = self.next()
        if token == "size":
            (of_what,) = self.arguments()
            return lambda *of: None if of_what(*of) is None else len(of_what(*of))
        if token == "if_not_exists":
            there, other = self.arguments()
            return lambda *of: other(*of) if there(*of) is None else there(*of)
        if token.startswith(":"):
            return lambda item, names, values: values[token]
        return lambda item, names, values: item.get(names[token] if token[0] == "#" else token)

    def changes(self) -> list[Callable[..., None]]:
        found: list[Callable[..., None]] = []
        while self.peek():
            kind = self.next()
            found += self.listed({"SET": self.set, "REMOVE": self.remove, "ADD": self.add, "DELETE": self.take}[kind])  # fmt: skip
        return found

    def set(self) -> Callable[..., None]:
        name = self.next()
        self.next("=")
        value = self.operand()

        def change(after: Item, before: Item, names: Names, values: Item) -> None:
            after[names.get(name, name)] = value(before, names, values)

        return change

    def remove(self) -> Callable[..., None]:
        name = self.next()
        return lambda after, before, names, values: after.pop(names.get(name, name), None)

    def add(self) -> Callable[..., None]:
        name, value = self.next(), self.next()

        def change(after: Item, before: Item, names: Names, values: Item) -> None:
            there, more = before.get(names.get(name, name)), values[value]
            is_set = isinstance(more, set)
            after[names.get(name, name)] = (there or set()) | more if is_set else (there or 0) + more

        return change

    def take(self) -> Callable[..., None]:
        name, value = self.next(), self.next()

        def change(after: Item, before: Item, names: Names, values: Item) -> None:
            left = before.get(names.get(name, name), set()) - values[value]
            # There are no empty sets.
            after.pop(names.get(name, name), None)
            if left:
                after[names.get(name, name)] = left

        return change


@cache
def _condition(text: str) -> Term:
    parser = _Parser(text)
    found = parser.either()
    if parser.peek():
        raise ValueError(f"not understood: {text}")
    return found


@cache
def _changes(text: str) -> list[Callable[..., None]]:
    return _Parser(text).changes()
