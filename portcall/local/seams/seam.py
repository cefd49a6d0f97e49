"""Puts a function of ours around one of MiniStack's, wherever MiniStack keeps it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

Function = Callable[..., Any]


class SeamError(RuntimeError):
    """MiniStack no longer has what a seam holds on to."""


def wrap(module: ModuleType, name: str, wrapper: Callable[[Function], Function]) -> None:
    """Replace ``module.name`` by ``wrapper(original)``, in the module's dispatch tables too.

    Some services look a handler up by its global name at each call, others keep function objects in a
    dict that was built at import: both must see the replacement.
    """
    original = getattr(module, name, None)
    if not callable(original):
        raise SeamError(f"{module.__name__}.{name} does not exist in this version of MiniStack.")
    replacement = functools.wraps(original)(wrapper(original))
    setattr(module, name, replacement)
    for table in list(vars(module).values()):
        if isinstance(table, dict):
            for key, value in list(table.items()):
                if value is original:
                    table[key] = replacement
