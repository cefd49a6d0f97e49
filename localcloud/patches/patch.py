"""Puts a function of ours around one of MiniStack's, wherever MiniStack keeps it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

Function = Callable[..., Any]


class PatchError(RuntimeError):
    """MiniStack no longer has what a patch holds on to."""


def wrap(module: ModuleType, name: str, wrapper: Callable[[Function], Function]) -> None:
    """Replace ``module.name`` by ``wrapper(original)``, in the module's dispatch tables too.

    Some services look a handler up by its global name at each call, others keep function objects in a
    dict that was built at import: both must see the replacement.
    """
    original = getattr(module, name, None)
    if not callable(original):
        raise PatchError(f"{module.__name__}.{name} does not exist in this version of MiniStack.")
    replacement = functools.wraps(original)(wrapper(original))
    setattr(module, name, replacement)
    for table in list(vars(module).values()):
        if isinstance(table, dict):
            for key, value in list(table.items()):
                if value is original:
                    table[key] = replacement


def add_actions(module: ModuleType, actions: Mapping[str, Function]) -> None:
    """Answer actions of a JSON service that MiniStack does not know: name -> function of the request."""

    def wrapper(original: Function) -> Function:
        async def handle_request(
            method: str, path: str, headers: dict[str, str], body: bytes, query: Any
        ) -> Any:
            action = actions.get(headers.get("x-amz-target", "").rpartition(".")[2])
            return action(json.loads(body)) if action else await original(method, path, headers, body, query)

        return handle_request

    wrap(module, "handle_request", wrapper)
