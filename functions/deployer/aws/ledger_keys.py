"""Amazon DynamoDB: the keys of the ledger's items. `deployer.aws.ledger` explains each item."""

import re
from collections.abc import Mapping

from deployer.domain.push import Push

Key = dict[str, str]

APP = "app#"
TAG = "tag#"
IMAGE = "image#"
DEPLOYMENT = "deployment#"
OPERATION = "operation#"
# All slots, not only those of previews: the value is as 0.1.0 stored it.
SLOTS = {"pk": "previews", "sk": "slots"}
SWEEP = {"pk": "sweep", "sk": "first"}
# The sparse index, and its partition with all apps. Deployments are spread over 65,536 other partitions, so a
# query by the beginning of an id reads only a handful of items.
LISTING = "listing"
APPS = "apps"
ID = "id#"
ID_DIGITS = 4
# Deployments that Portcall started have a prefix, e.g. `restart-<id>`; no prefix is a hexadecimal number.
BEGINNING = re.compile(rf"(?:[a-z]*[g-z][a-z]*-)?.{{0,{ID_DIGITS}}}")


def partition(app: str) -> str:
    """The partition key of an app's items."""
    return f"{APP}{app}"


def app_of(pk: str) -> str:
    """The inverse of `partition`."""
    return pk.removeprefix(APP)


def current(app: str) -> Key:
    """The current deployment."""
    return {"pk": partition(app), "sk": "current"}


def is_current(item: Mapping[str, object]) -> bool:
    """Whether an item is the current deployment."""
    return item["sk"] == "current"


def order(app: str) -> Key:
    """The numbers of an app's pushes, and those that are open."""
    return {"pk": partition(app), "sk": "order"}


def deployment(app: str, name: str) -> Key:
    """One push or restart, by its `name_of`."""
    return {"pk": partition(app), "sk": f"{DEPLOYMENT}{name}"}


def listed_by_id(deployment: str) -> str:
    """The partition of the index with the deployments whose ids begin with the same characters."""
    found = BEGINNING.match(deployment)
    return f"{ID}{found[0] if found else ''}"


def operation(app: str, name: str) -> Key:
    """An operator's request about an app, by the request's id."""
    return {"pk": partition(app), "sk": f"{OPERATION}{name}"}


def app_of_push(push: Push) -> Key:
    """The app of a push."""
    return {"pk": partition(push.repository), "sk": f"push#{name_of_push(push)}"}


def name_of(time: str, deployment: str) -> str:
    """The name of a push or restart in keys and sets: its time and its event's id."""
    return f"{time}#{deployment}"


def name_of_push(push: Push) -> str:
    """`name_of` a push."""
    return name_of(push.time, push.deployment)


def time_and_deployment(sk: str) -> tuple[str, str]:
    """The inverse of the sort key of `deployment`."""
    _, time, deployment = sk.split("#", 2)
    return time, deployment


def tag(app: str, tag: str) -> Key:
    """The record of one of an app's tags."""
    return {"pk": partition(app), "sk": f"{TAG}{tag}"}


def tag_of(sk: str) -> str:
    """The inverse of the sort key of `tag`."""
    return sk.removeprefix(TAG)


def image(app: str, digest: str) -> Key:
    """The record of one of an app's images."""
    return {"pk": partition(app), "sk": f"{IMAGE}{digest}"}


def under_way(repository: str) -> Key:
    """The deployments of a repository that are in progress."""
    return {"pk": partition(repository), "sk": "under way"}


def mails_of_second(second: int) -> Key:
    """The number of mails in a second (UNIX)."""
    return {"pk": f"mails#{second}", "sk": "sent"}


def mails_of_hour(repository: str, hour: int) -> Key:
    """The mails about a repository in an hour (hours since 1970)."""
    return {"pk": f"mails#{repository}#{hour}", "sk": "of the hour"}


def test_mails_of_hour(hour: int) -> Key:
    """The test emails of the install in an hour (hours since 1970)."""
    return {"pk": f"mails#{hour}", "sk": "tests of the hour"}


def task(arn: str) -> Key:
    """The state of a task, and the step that waits for it."""
    return {"pk": f"task#{arn}", "sk": "state"}
