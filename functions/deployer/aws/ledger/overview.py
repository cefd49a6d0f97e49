"""Amazon DynamoDB: all apps at once, for `portcall status` and similar commands."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import client
from deployer.aws.items import Item, plain, wire
from deployer.aws.ledger.app_listing import listed
from deployer.aws.ledger.current_deployment import current_of
from deployer.aws.ledger.deployment_records import deployments, known
from deployer.domain.deployment import Current, Deployment
from deployer.domain.errors import ThrottledError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import KeysAndAttributesUnionTypeDef

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MAX_KEYS_PER_CALL = 100
MAX_ATTEMPTS = 10
MAX_DEPLOYMENTS = 10


@dataclass(frozen=True)
class AppRecords:
    """The current deployment of an app, and candidates for its last deployment, in no order.

    `order` is the item of that name, which each push changes.
    """

    app: str
    current: Current | None = None
    deployments: list[Deployment] = field(default_factory=list)
    order: Item = field(default_factory=dict)


def overview(*, before: Iterable[AppRecords] = ()) -> list[AppRecords]:
    """All apps, by name: one query of the index, and one read of a hundred items for every fifty apps or so.

    For each app: its last admitted push and its open ones. If these are unknown, or nothing is current, its
    last ten.

    The result of an earlier call, `before`, is reused for apps that had no push since and have nothing open.
    Other changes of these apps, such as a stop, are then not seen.
    """
    orders = {keys.app_of(str(item["pk"])): item for item in listed()}
    same = {
        each.app: each for each in before if each.order == orders.get(each.app) and not each.order.get("open")
    }
    wanted = [
        key
        for app, order in orders.items()
        if app not in same
        for key in (keys.current(app), *(keys.deployment(app, name) for name in _names(order)))
    ]
    items: dict[str, list[Item]] = {app: [] for app in orders}
    for item in _items(wanted):
        items[keys.app_of(str(item["pk"]))].append(item)
    return [same.get(app) or _records(app, orders[app], items[app]) for app in sorted(orders)]


def _names(order: Item) -> set[str]:
    return {*order.get("open", ()), *filter(None, [order.get("last_deployment")])}


def _records(app: str, order: Item, items: list[Item]) -> AppRecords:
    serving = next((current_of(item) for item in items if keys.is_current(item)), None)
    if serving and "last_deployment" in order:
        return AppRecords(app, serving, [known(item) for item in items if not keys.is_current(item)], order)
    return AppRecords(app, serving, deployments(app=app, most=MAX_DEPLOYMENTS), order)


def _items(wanted: list[keys.Key]) -> Iterator[Item]:
    """The items of these keys that exist. Raises ThrottledError if DynamoDB repeatedly leaves some out."""
    for begin in range(0, len(wanted), MAX_KEYS_PER_CALL):
        some = [wire(key) for key in wanted[begin : begin + MAX_KEYS_PER_CALL]]
        request: Mapping[str, KeysAndAttributesUnionTypeDef] = {
            table.name(): {"Keys": some, "ConsistentRead": True}
        }
        for _ in range(MAX_ATTEMPTS):
            answer = client("dynamodb").batch_get_item(RequestItems=request)
            yield from map(plain, answer["Responses"].get(table.name(), []))
            request = answer.get("UnprocessedKeys")
            if not request:
                break
        else:
            raise ThrottledError("BatchGetItem: DynamoDB left some keys unprocessed each time")
