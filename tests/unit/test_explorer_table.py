"""The table in memory, which the explorer and the tests of the workflow use, answers as moto's DynamoDB does."""

from typing import Any

import boto3
from botocore.exceptions import ClientError
from deployer.aws.items import plain

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


class Asked(Table):
    """Notes the kinds of requests that there were: the operations, with their expressions."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: set[str] = set()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in OPERATIONS:
            return found

        def ask(**request: Any) -> Any:
            self.kinds.add(f"{name} {sorted(each for each in request.items() if 'Expression' in each[0])}")
            return found(**request)

        return ask


class Both:
    """Has both tables write, and goes on with the answer of the one in memory."""

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


def test_answers_as_moto_does(ledger_table, monkeypatch):
    """In every scenario that asks something which none before it did."""
    other, seen = boto3.client("dynamodb"), set()
    for scenario in dict(explore.scenarios()):
        asked, both = Asked(), Both(other)
        with stage():
            monkeypatch.setattr(aws, "Table", lambda *_, table=asked, **__: table)
            explore.undisturbed(scenario, SETTING)
            if asked.kinds <= seen:
                continue
            seen |= asked.kinds
            monkeypatch.setattr(aws, "Table", lambda *_, table=both, **__: table)
            ledger_table()
            explore.undisturbed(scenario, SETTING)
        assert both.unlike == [], scenario
        assert both.holds_the_same(), scenario
    assert len(seen) > 40
