"""Patterns with `*`, as in RepositoryPattern and TagPattern."""

from collections.abc import Iterable
from fnmatch import fnmatchcase


def match(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns matches the whole name; the parameters allow no wildcard but `*`."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
