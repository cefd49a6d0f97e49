"""Whether what somebody asked for keeps a push from being deployed."""

from typing import Any

from deployer.aws import ledger
from deployer.domain import holds
from deployer.domain.push import Push


def why_not(push: Push, asked: dict[str, Any]) -> str:
    """Why a push is not deployed though nothing newer is, '' if it is; `asked` is {} of a push."""
    current = ledger.current(app=push.app)
    if current is None:
        return ""
    open_ones = ledger.open_deployments(app=push.app)
    return holds.why_not(push.digest, current, open_ones, asked)
