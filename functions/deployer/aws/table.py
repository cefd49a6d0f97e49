"""Amazon DynamoDB: the name of the ledger's table. `deployer.aws.ledger` explains its items."""

from deployer.settings import settings

_given = ""


def use(name: str) -> None:
    """Use this table from now on: the command line chooses an install."""
    global _given
    _given = name


def name() -> str:
    """The table's name: the stack's, unless `use` set another."""
    return _given or settings().ledger
