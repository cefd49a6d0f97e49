"""A check: a name, what is expected, and the function that finds out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portcall.verify.run import Run

Probe = Callable[["Run"], str]


@dataclass(frozen=True)
class Check:
    """`expected` is what the embedded cloud does. `needs` are the checks whose push or facts this one uses.

    `probe` returns what was seen if it is as expected, else it raises an error of `portcall.verify.errors`.
    """

    name: str
    expected: str
    needs: tuple[str, ...]
    probe: Probe


CHECKS: dict[str, Check] = {}


def check(expected: str, *, needs: tuple[str, ...] = ("install",)) -> Callable[[Probe], Probe]:
    """Make a function a check: `first_push` is `first-push`. They run in the order of the source."""

    def register(probe: Probe) -> Probe:
        name = probe.__name__.replace("_", "-")
        CHECKS[name] = Check(name, expected, needs, probe)
        return probe

    return register


def with_needs(names: set[str], is_done: Callable[[str], bool]) -> list[Check]:
    """The checks of these names and all unfinished ones that they need, in running order."""
    wanted: set[str] = set()

    def add(name: str) -> None:
        if name not in wanted:
            wanted.add(name)
            for need in CHECKS[name].needs:
                if not is_done(need):
                    add(need)

    for name in names:
        add(name)
    return [each for name, each in CHECKS.items() if name in wanted]
