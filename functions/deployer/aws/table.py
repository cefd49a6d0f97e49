"""Amazon DynamoDB: the table that has everything. What its items are, `deployer.aws.ledger` says."""

from deployer.settings import settings

_given = ""


def use(name: str) -> None:
    """From now on this is the table: the command line chooses an install."""
    global _given
    _given = name


def name() -> str:
    """The name of the table: the stack's, unless another was given."""
    return _given or settings().ledger
