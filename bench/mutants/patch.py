"""Puts a changed statement in the place of its original, in a process that has imported everything already."""

import inspect
import re
import sys
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any


def apply(module: ModuleType, statement: str) -> None:
    """Run a statement from the top of a module again, and have everybody who knows its result use the new one.

    Functions keep their identity, for others hold on to them: they get new code and new defaults.
    """
    names = dict(vars(module))
    exec(compile(statement, str(module.__file__), "exec", dont_inherit=True), names)  # noqa: S102 - our own code
    for name, new in names.items():
        old = vars(module).get(name)
        if new is not old and name != "__builtins__" and not _carry_over(old, new):
            for each in (module, *_importers_of(name, old)):
                setattr(each, name, new)


def _carry_over(old: Any, new: Any) -> bool:
    """Change functions, and what holds functions, in place; False if it is something else."""
    inner = next(
        (each for each in ("__wrapped__", "__func__", "fget", "func") if getattr(old, each, None)), None
    )
    if inner:
        return _carry_over(getattr(old, inner), getattr(new, inner))
    if isinstance(old, type):
        for attribute, value in vars(new).items():
            if isinstance(value, FunctionType | property | cached_property | staticmethod | classmethod):
                _carry_over(vars(old)[attribute], value)
        return True
    if isinstance(old, FunctionType):
        old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__
        return True
    return False


def _importers_of(name: str, value: object) -> list[ModuleType]:
    """The modules of the functions that have a constant from elsewhere."""
    ours = [module for each, module in sys.modules.items() if each.startswith("deployer.")]
    have = [module for module in ours if vars(module).get(name) is value]
    return [
        module
        for module in have
        if not re.search(rf"^[\w, ]*\b{name}\b[^()\n]* = ", inspect.getsource(module), re.M)
    ]
