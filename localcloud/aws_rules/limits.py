"""A rule for one value, and the message if the value breaks it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import regex


@dataclass(frozen=True)
class Limit:
    """One rule for a value, in words that end the sentence "it must ..."

    `says` is AWS's own message, if it is known and unusual.
    """

    asks: str
    holds: Callable[[Any], bool]
    says: str = ""


@dataclass(frozen=True)
class Refusal:
    """An invalid value: its path, and what it must be."""

    path: str
    value: Any
    asks: str
    says: str = ""

    def __str__(self) -> str:
        shown = repr(self.value)
        shown = shown if len(shown) <= 120 else f"{shown[:117]}..."
        return f"{self.path}: {shown} must {self.asks}"


def at_most(number: int, of: str = "") -> Limit:
    """At most this many `of` something (characters, entries), or a number of at most this."""
    return Limit(_counted("at most", number, of), lambda value: _size(value) <= number)


def at_least(number: int, of: str = "") -> Limit:
    return Limit(_counted("at least", number, of), lambda value: _size(value) >= number)


def bytes_at_most(number: int) -> Limit:
    return Limit(f"have at most {number} bytes", lambda value: len(str(value).encode()) <= number)


def matches(pattern: str, asks: str = "") -> Limit:
    """The whole value matches a pattern. Raises regex.error for an invalid pattern."""
    compiled = regex.compile(pattern)
    return Limit(asks or f"match {pattern}", lambda value: compiled.fullmatch(str(value)) is not None)


def one_of(values: Collection[Any]) -> Limit:
    shown = ", ".join(map(str, list(values)[:12])) + (", ..." if len(values) > 12 else "")
    return Limit(f"be one of {shown}", lambda value: value in values)


def begins_not(prefix: str) -> Limit:
    return Limit(f"not begin with {prefix!r}", lambda value: not str(value).lower().startswith(prefix))


def _counted(how: str, number: int, of: str) -> str:
    return f"have {how} {number} {of}" if of else f"be {how} {number}"


def _size(value: Any) -> int | float:
    if isinstance(value, int | float):
        return value
    return len(value) if hasattr(value, "__len__") else 0
