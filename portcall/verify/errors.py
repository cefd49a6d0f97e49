"""How a run, or a check of it, ends early."""


class CannotStartError(Exception):
    """The run did not begin, and nothing was created; the message says what to do."""


class DifferentError(Exception):
    """AWS did something unexpected; the message says what."""


class NotRunError(Exception):
    """The check cannot run here; the message says why."""


class CheckFailedError(Exception):
    """The check has no result; the message says how far it came."""
