"""Repeats a call that records something done: as long as it is not recorded, it may be done a second time."""

from collections.abc import Callable

from deployer.domain.errors import TransientError

MAX_ATTEMPTS = 5


def retry(note: Callable[[], object]) -> None:
    """Call until it succeeds, a few times at once. Raises the last TransientError."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            note()
            return
        except TransientError:
            if attempt == MAX_ATTEMPTS:
                raise
