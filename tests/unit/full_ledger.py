"""A ledger with many apps and deployments, as a large install has after a quarter of a year."""

import hashlib
from collections.abc import Iterator
from typing import Any

from deployer.aws import ledger_keys as keys


def deployment_id(app: int, number: int) -> str:
    """As random as those of EventBridge."""
    return hashlib.sha256(f"{app} {number}".encode()).hexdigest()[:32]


def items(*, apps: int, deployments: int) -> Iterator[dict[str, Any]]:
    """The ledger's items; `deployments` is the number for each app, at most 75."""
    for number in range(apps):
        yield from _items_of(number, deployments)


def _items_of(number: int, deployments: int) -> Iterator[dict[str, Any]]:
    app, digest = f"app-{number:03}", f"sha256:{number:064x}"
    name = ""
    for each in range(deployments):
        made = deployment_id(number, each)
        at = f"2026-{9 + each // 25:02}-{1 + each % 25:02}T11:06:00Z"
        name = keys.name_of(at, made)
        yield {
            **keys.deployment(app, name),
            "listed": keys.listed_by_id(made),
            "tag": "latest",
            "digest": digest,
            "execution": f"arn:aws:states:eu-west-1:111122223333:execution:deploy:{made}",
            "sequence": each + 1,
            "began_at": 1_795_000_000,
            "ended_at": 1_795_000_030,
            "outcome": "deployed" if each % 5 else "failed",
            "notified_at": 1_795_000_031,
            "phases": {"admit": "1.4", "read": "0.2", "register": "0.4", "start": "20.1", "answer": "3.1"},
            "url": "http://203.0.113.7:3000/",
            # As the last lines of a failure are.
            "log": [f"line {line} of what the app wrote" for line in range(0 if each % 5 else 30)],
            "expires_at": 1_800_000_000,
        }
    yield {
        **keys.order(app),
        "listed": keys.APPS,
        "last": deployments,
        "last_deployment": name,
    }
    yield {
        **keys.current(app),
        "deployment": name.partition("#")[2],
        "sequence": deployments,
        "task": f"task-{number}",
        "url": "http://203.0.113.7:3000/",
        "digest": digest,
        "tag": "latest",
        "revision": "rev:1",
        "since": "2026-10-25T11:07:00Z",
        "version": 1,
    }
