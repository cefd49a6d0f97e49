"""Survivors that no test should catch, each with the reason. Those are left out of the count.

A survivor is known by its module and the lines that it takes away (-) and puts in their place (+). An entry
whose mutant is caught, or is not there any more, makes the run fail: none outlives its reason.
"""

from typing import NamedTuple


class Explained(NamedTuple):
    """`change` is as the report prints it; `why` is the reason."""

    module: str
    change: str
    why: str


EXPLAINED: tuple[Explained, ...] = ()
