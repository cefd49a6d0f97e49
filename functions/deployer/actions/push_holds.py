"""Whether a pin or a stop keeps a push from being deployed."""

from collections.abc import Iterable
from typing import Any

from deployer.aws import ledger
from deployer.domain import holds
from deployer.domain.deployment import Current
from deployer.domain.push import Push


def why_not(push: Push, asked: dict[str, Any], current: Current | None, others: Iterable[str]) -> str:
    """Why the newest push is not deployed, '' if it is. `asked` is the operator's request, {} for a push.

    `others` are the names of the deployments that were open when the push drew its number. A rollback that is
    asked for later gets a larger number, and wins.
    """
    if current is None:
        return ""
    return holds.why_not(push.digest, current, ledger.named(app=push.app, names=others), asked)
