"""Lists the patches by the function of MiniStack that they change: ``python -m localcloud.patches [RunTask]``.

With an action it lists the patches that a call of it may reach. Before them, each call passes
``request_guard.py`` and ``iam/iam_requests.py``. What other services do after the call is not listed.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import re
import signal
import sys
import textwrap
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType

from localcloud.patches.install import PATCHES
from localcloud.patches.patch import Change, changes_of

Place = tuple[str, str]  # owner and name, as in a Change


OURS = {module.__name__ for module in PATCHES}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m localcloud.patches",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", nargs="?", help="such as RunTask; all patches without it")
    action = parser.parse_args(arguments).action
    by_place = patches_by_place()
    if not action:
        print("\n".join(table(by_place, sorted(by_place))))
        return
    start = [place for place in by_place if place[1] == action] or functions_of(action)
    if not start:
        sys.exit(f"No service that is patched has the action {action}.")
    print("\n".join(table(by_place, reached(start, by_place))) or f"{action} goes through no patch.")


def patches_by_place() -> dict[Place, list[tuple[ModuleType, Change]]]:
    """The patches of each function of MiniStack; the outermost, which is called first, comes first."""
    found: dict[Place, list[tuple[ModuleType, Change]]] = {}
    for module in PATCHES:
        for change in changes_of(module):
            found.setdefault((change.owner, change.name), []).insert(0, (module, change))
    return found


def functions_of(action: str) -> list[Place]:
    """MiniStack's functions for an action of the patched services, e.g. ``_run_task`` for RunTask."""
    name = "_" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", action).lower()
    owners = {change.owner for module in PATCHES for change in changes_of(module)} - {"CloudFormation"}
    return [(owner, name) for owner in sorted(owners) if hasattr(importlib.import_module(owner), name)]


def reached(start: Iterable[Place], by_place: dict[Place, list[tuple[ModuleType, Change]]]) -> list[Place]:
    """The entries of ``by_place`` that a call of ``start`` may reach, in the order of the source."""
    left = list(dict.fromkeys(start))
    for place in left:  # grows meanwhile
        owner, name = place
        functions: list[object] = [change.function for _module, change in by_place.get(place, [])]
        functions.append(getattr(sys.modules.get(owner), name, None))
        for function in functions:
            if isinstance(function, FunctionType):
                named = [each for each in named_in(function) if each[0] == owner or each[0] in OURS]
                left += [each for each in dict.fromkeys(named) if each not in left]
    return [place for place in left if place in by_place]


def named_in(function: FunctionType) -> Iterator[Place]:
    """The functions, of MiniStack and ours, that a function's source names."""
    known = dict(function.__globals__)
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ministack"):
            module = importlib.import_module(node.module or "")
            known |= {each.asname or each.name: getattr(module, each.name, None) for each in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = known.get(node.value.id)
            if isinstance(owner, ModuleType):
                yield from place_of(getattr(owner, node.attr, None))
        elif isinstance(node, ast.Name):
            yield from place_of(known.get(node.id))


def place_of(named: object) -> Iterator[Place]:
    if isinstance(named, FunctionType) and named.__module__:
        yield named.__module__, named.__name__


def table(by_place: dict[Place, list[tuple[ModuleType, Change]]], places: Iterable[Place]) -> Iterator[str]:
    """A heading for each function of MiniStack, and a line for each patch of it."""
    for owner, name in places:
        yield f"{owner.removeprefix('ministack.')} {name}"
        for module, change in by_place[owner, name]:
            path = module.__name__.removeprefix("localcloud.patches.").replace(".", "/") + ".py"
            title, _, rest = (module.__doc__ or "").partition("\n")
            kind = re.search(r"^Kind: (\w+)", rest, re.MULTILINE)
            yield f"    {path:36} {change.function.__name__:28} {kind[1] if kind else '':9} {title}"


if __name__ == "__main__":
    # `| head` closes the pipe.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main()
