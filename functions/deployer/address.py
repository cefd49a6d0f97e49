"""Leads the address that stays to where the ledger says that the app runs."""

from deployer.aws import apigateway, ledger
from deployer.domain.errors import DeployError
from deployer.observe import logger
from deployer.settings import settings

# Nothing has that name (RFC 6761). The IP of a task that has stopped may be somebody else's soon.
NOWHERE = "http://stopped.invalid/"


def lead(app: str) -> None:
    """Lead the app's address, if it has one, to its current task, or nowhere if that has stopped.

    To be called after each change of what is current. Two calls at once may overtake each other on their way,
    so each looks once more.
    """
    table = settings().ledger
    current = ledger.current(table=table, app=app)
    while current and current.address:
        apigateway.move_address(
            address=current.address,
            target=NOWHERE if current.healing or current.halted else current.direct_url,
            version=current.version,
        )
        before, current = current, ledger.current(table=table, app=app)
        if current == before:
            return


def let_go(app: str) -> None:
    """Lead the app's address away from a task that has stopped. What goes wrong here holds no restart up."""
    try:
        lead(app)
    except DeployError as error:
        logger.warning("The address leads to a stopped task", extra={"app": app, "reason": str(error)})
