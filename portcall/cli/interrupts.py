"""What Ctrl-C and SIGTERM do while `portcall verify-aws` runs."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from portcall.core.terminal import Terminal


@contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _signals(leave):
        yield


@contextmanager
def needs_two_interrupts(console: Terminal, name: str) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM prints how to clean up later; the second one interrupts."""

    pressed = 0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed += 1
        if pressed > 1:
            raise KeyboardInterrupt
        console.print(
            "\nCleaning up. Press Ctrl-C again to stop that; this deletes the rest: "
            f"portcall verify-aws --clean {name}"
        )

    with _signals(ask):
        yield
