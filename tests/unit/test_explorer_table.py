"""The table in memory, which the explorer and the workflow's tests use, answers like moto's DynamoDB."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from deployer.aws.items import plain, wire
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import QUICK, examples
from tests.explorer import aws, explore
from tests.explorer.dynamodb import Table
from tests.explorer.game import Setting, stage

SETTING = Setting(by_tag=True, stable_url=True)
OPERATIONS = {
    "get_item",
    "put_item",
    "update_item",
    "delete_item",
    "query",
    "transact_write_items",
}


def outcome(send, request: dict[str, Any]) -> Any:
    """What a request comes to, of what the ledger looks at."""
    try:
        answer = send(**request)
    except ClientError as error:
        reasons = [each["Code"] for each in error.response.get("CancellationReasons", [])]
        return error.response["Error"]["Code"], reasons, plain(error.response.get("Item", {}))
    found = [answer.get("Item"), answer.get("Attributes"), *answer.get("Items", [])]
    return [plain(each) for each in found if each]


pytestmark = pytest.mark.long(20)
PARTS = 6


class Asked(Table):
    """Notes one request of each kind, that is, of each operation with its expressions."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: dict[str, tuple[str, dict[str, Any]]] = {}

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in OPERATIONS:
            return found

        def ask(**request: Any) -> Any:
            self.requests.setdefault(_without_values(name, request), (name, request))
            return found(**request)

        return ask


class Both:
    """Has both tables write, and continues with the answer of the one in memory."""

    def __init__(self, other: Any) -> None:
        self._table = Table()
        self._other = other
        self.unlike: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        ours = getattr(self._table, name)
        if name not in OPERATIONS or name == "get_item":
            return ours

        def ask_both(**request: Any) -> Any:
            expected = outcome(getattr(self._other, name), request)
            before = dict(self._table.items)
            if (found := outcome(ours, request)) != expected:
                self.unlike.append((name, request, found, expected))
            # Once more, for the answer as it is.
            self._table.items = before
            return ours(**request)

        return ask_both

    def holds_the_same(self) -> bool:
        theirs = map(plain, self._other.scan(TableName="ledger")["Items"])
        return {(each["pk"], each["sk"]): each for each in theirs} == self._table.items


@pytest.fixture(scope="module")
def played() -> dict[str, Asked]:
    """Each scenario, with the table that it asked."""
    found = {scenario: Asked() for scenario in dict(explore.scenarios())}
    with pytest.MonkeyPatch.context() as monkeypatch, stage():
        for scenario, table in found.items():
            monkeypatch.setattr(aws, "Table", lambda *_, table=table, **__: table)
            explore.undisturbed(scenario, SETTING)
    return found


def to_play(played: dict[str, Asked]) -> list[str]:
    """All scenarios; for `make unit` those that ask something which none before them did."""
    chosen, seen = list[str](), set[str]()
    for scenario, asked in played.items():
        if not QUICK or not asked.requests.keys() <= seen:
            chosen.append(scenario)
        seen |= asked.requests.keys()
    return chosen


def test_the_scenarios_ask_for_much(played):
    assert len({request for asked in played.values() for request in asked.requests}) > 40


# As one test, it would keep one of two processes busy long after the other has nothing left.
@pytest.mark.parametrize("part", range(PARTS))
def test_answers_as_moto_does(ledger_table, played, monkeypatch, part):
    other = boto3.client("dynamodb")
    for scenario in to_play(played)[part::PARTS]:
        both = Both(other)
        monkeypatch.setattr(aws, "Table", lambda *_, table=both, **__: table)
        ledger_table()
        with stage():
            explore.undisturbed(scenario, SETTING)
        assert both.unlike == [], scenario
        assert both.holds_the_same(), scenario


@pytest.fixture
def both(ledger_table) -> tuple[Any, Table]:
    """moto's table and ours, with the same items."""
    other, table = boto3.client("dynamodb"), Table()
    items = [
        {"pk": f"app#{app}", "sk": f"push#{7 - number - app}", "n": number}
        | ({"listed": "apps"} if number % 3 else {})
        for number in range(5)
        for app in range(2)
    ]
    table.put(items)
    for item in items:
        other.put_item(TableName="ledger", Item=wire(item))
    return other, table


def pages(ask, **request: Any) -> list[list[Any]]:
    """All pages of a query, one after the other."""
    answer, found = ask(TableName="ledger", **request), []
    while found.append([plain(each) for each in answer["Items"]]) or "LastEvaluatedKey" in answer:
        answer = ask(TableName="ledger", **request, ExclusiveStartKey=answer["LastEvaluatedKey"])
    return found


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 3, 10])
@pytest.mark.parametrize(
    ("where", "value"),
    [
        ({"KeyConditionExpression": "pk = :it"}, "app#1"),
        ({"KeyConditionExpression": "listed = :it", "IndexName": "listing"}, "apps"),
    ],
    ids=["the table", "the index"],
)
def test_pages_as_moto_does(both, where, value, limit, forward):
    other, table = both
    values = wire({":it": value})
    request = {**where, "ExpressionAttributeValues": values, "ScanIndexForward": forward, "Limit": limit}
    expected, found = pages(other.query, **request), pages(table.query, **request)
    assert [len(each) for each in found] == [len(each) for each in expected]
    # The index has no order among items of the same sort key.
    ours, theirs = ([each for page in several for each in page] for several in (found, expected))
    assert [each["sk"] for each in ours] == [each["sk"] for each in theirs]
    assert sorted(ours, key=str) == sorted(theirs, key=str)
    assert len(found) > 1 or limit == 10


def test_reads_several_items_as_moto_does(both):
    keys = [wire({"pk": pk, "sk": "push#3"}) for pk in ("app#0", "app#1", "app#2")]
    request = {"RequestItems": {"ledger": {"Keys": keys, "ConsistentRead": True}}}
    (expected, found) = (each.batch_get_item(**request) for each in both)
    assert found["UnprocessedKeys"] == expected["UnprocessedKeys"] == {}
    ours, theirs = ([plain(each) for each in answer["Responses"]["ledger"]] for answer in (found, expected))
    assert sorted(ours, key=str) == sorted(theirs, key=str)
    assert len(ours) == 2


def _without_values(name: str, request: dict[str, Any]) -> str:
    """Requests that ask for the same of different items are alike."""
    parts = [next(iter(each.values())) for each in request.get("TransactItems", [])] or [request]
    said = [{key: each[key] for key in sorted(each) if key.endswith("Expression")} for each in parts]
    return f"{name} {said}"


class Seen:
    """One request of each kind that the functions make, and what they write."""

    def __init__(self) -> None:
        self.requests: dict[str, tuple[str, dict[str, Any]]] = {}
        # By key, the attributes that an item had, each with the values that it had.
        self.items: dict[tuple[str, str], dict[str, list[Any]]] = {}

    def note(self, table: Asked) -> None:
        self.requests = table.requests | self.requests
        for key, item in table.items.items():
            attributes = self.items.setdefault(key, {})
            for name, value in item.items():
                if name not in ("pk", "sk") and value not in attributes.setdefault(name, []):
                    attributes[name].append(value)


@pytest.fixture(scope="module")
def seen(played: dict[str, Asked]) -> Seen:
    found = Seen()
    for table in played.values():
        found.note(table)
    return found


def keys_of(request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The keys of the items that a request reads or writes."""
    parts = [next(iter(each.values())) for each in request.get("TransactItems", [])] or [request]
    for part in parts:
        key = part.get("Key") or part.get("Item")
        if key:
            yield key["pk"]["S"], key["sk"]["S"]


@settings(
    max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_answers_as_moto_does_whatever_the_items_are(ledger_table, seen, data):
    """Each request of the functions, with items that have any of the attributes that they ever had."""
    other, table = boto3.client("dynamodb"), Table()
    for left in other.scan(TableName="ledger")["Items"]:
        other.delete_item(TableName="ledger", Key={each: left[each] for each in ("pk", "sk")})
    name, request = seen.requests[data.draw(st.sampled_from(sorted(seen.requests)), "request")]
    keys = {*keys_of(request), *data.draw(st.sets(st.sampled_from(sorted(seen.items)), max_size=3), "others")}
    for pk, sk in sorted(keys):
        known = seen.items.get((pk, sk), {})
        optional = {each: st.sampled_from(values) for each, values in known.items()}
        there = data.draw(st.none() | st.fixed_dictionaries({}, optional=optional), f"{pk} {sk}")
        if there is not None:
            item = wire(there | {"pk": pk, "sk": sk})
            for each in (other, table):
                each.put_item(TableName="ledger", Item=item)
    assert outcome(getattr(table, name), request) == outcome(getattr(other, name), request)
    theirs = [plain(each) for each in other.scan(TableName="ledger")["Items"]]
    assert {(each["pk"], each["sk"]): each for each in theirs} == table.items
