"""Whether a pin or a stop keeps a push from being deployed."""

from typing import Any

from deployer.aws import ledger
from deployer.domain import holds
from deployer.domain.push import Push


def why_not(push: Push, asked: dict[str, Any]) -> str:
    """Why the newest push is not deployed, '' if it is. `asked` is the operator's request, {} for a push."""
    current = ledger.current(app=push.app)
    if current is None:
        return ""
    open_ones = ledger.open_deployments(app=push.app)
    return holds.why_not(push.digest, current, open_ones, asked)
