"""Decorators for patches of MiniStack, and the function that applies them.

    @patch(ecs, "_run_task")
    def _answer_once(original: Function, data: dict[str, Any], *, settings: Settings) -> Any: ...

Once `apply` has run, MiniStack calls ``_answer_once`` for ``ecs._run_task``. ``original`` is the previous
function: MiniStack's own, or an earlier patch. ``settings`` is passed to functions
that have such a parameter.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from localcloud.options import Settings

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)
Condition = Callable[[Settings], Any]


class PatchError(RuntimeError):
    """MiniStack no longer has the function that a patch replaces."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One of our functions, and the function of MiniStack that it wraps, or where it is added."""

    # A module of MiniStack, or "CloudFormation".
    owner: str
    # A function of the module, an action of the service, or a resource type with create, update or delete.
    name: str
    function: Function
    # Applied only if this is true for the embedded cloud.
    when: Condition
    make: Callable[[Function], None]


# By our module, in the order of the source.
_changes: dict[str, list[Change]] = {}


def changes_of(module: ModuleType) -> list[Change]:
    return _changes.get(module.__name__, [])


def apply(module: ModuleType, settings: Settings) -> None:
    """Apply the patches of one module; its function ``prepare``, if it has one, is called first."""
    if prepare := getattr(module, "prepare", None):
        prepare(settings)
    for change in changes_of(module):
        if change.when(settings):
            wanted = "settings" in inspect.signature(change.function).parameters
            change.make(functools.partial(change.function, settings=settings) if wanted else change.function)


def _register(owner: str, name: str, make: Callable[[Function], None], when: Condition) -> Callable[[F], F]:
    def decorator(function: F) -> F:
        change = Change(owner=owner, name=name, function=function, when=when, make=make)
        _changes.setdefault(function.__module__, []).append(change)
        return function

    return decorator


def _always(_settings: Settings) -> bool:
    return True


def patch(module: ModuleType, name: str, *, when: Condition = _always) -> Callable[[F], F]:
    """Call the decorated function for ``module.name``, in the module's dispatch tables too.

    Some services look a handler up by its global name at each call, others keep function objects in a
    dict that was built at import: both must see the replacement.
    """

    def make(function: Function) -> None:
        original = getattr(module, name, None)
        if not callable(original):
            raise PatchError(f"{module.__name__}.{name} does not exist in this version of MiniStack.")
        replacement = _around(original, function)
        setattr(module, name, replacement)
        for table in list(vars(module).values()):
            if isinstance(table, dict):
                for key, value in list(table.items()):
                    if value is original:
                        table[key] = replacement

    return _register(module.__name__, name, make, when)


def patch_resource(kind: str, operation: str, *, when: Condition = _always) -> Callable[[F], F]:
    """Call the decorated function when CloudFormation does one of ``create``, ``update`` and ``delete``."""

    def make(function: Function) -> None:
        handlers: MutableMapping[str, Function] = _provisioners()._RESOURCE_HANDLERS[kind]
        handlers[operation] = _around(handlers[operation], function)

    return _register("CloudFormation", f"{kind} {operation}", make, when)


def _provisioners() -> Any:
    # Imported late: it imports every service of MiniStack.
    return importlib.import_module("ministack.services.cloudformation.provisioners")


def _around(original: Function, function: Function) -> Function:
    return functools.update_wrapper(functools.partial(function, original), original)


def add_action(module: ModuleType, action: str) -> Callable[[F], F]:
    """Call the decorated function, with the request, for an action of a JSON service that MiniStack lacks."""

    def make(function: Function) -> None:
        original = module.handle_request

        async def handle_request(
            method: str, path: str, headers: dict[str, str], body: bytes, query: Any
        ) -> Any:
            if headers.get("x-amz-target", "").rpartition(".")[2] == action:
                return function(json.loads(body))
            return await original(method, path, headers, body, query)

        setattr(module, "handle_request", functools.wraps(original)(handle_request))  # noqa: B010 - mypy

    return _register(module.__name__, action, make, _always)


def add_resource(kind: str, operation: str, *, replacing: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Call the decorated function to create, update or delete resources of a type that MiniStack lacks.

    ``replacing`` are the properties whose change replaces the resource.
    """

    def make(function: Function) -> None:
        _provisioners()._RESOURCE_HANDLERS.setdefault(kind, {})[operation] = function
        if replacing:
            _provisioners()._REPLACING_PROPERTIES[kind] = replacing

    return _register("CloudFormation", f"{kind} {operation}", make, _always)
