"""No modules of the repository import each other in a circle, not by way of others or within a function either."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = [
    ROOT / name
    for name in ("portcall", "localcloud", "functions/deployer", "bench", "tests", "release", "scan")
]


def graph(packages: list[Path]) -> dict[str, set[str]]:
    """The name of each module -> those of these packages that it imports."""
    places = {path.relative_to(package.parent): path for package in packages for path in package.rglob("*.py")}
    # Without scan/.venv, and without the stack's files that a wheel carries.
    modules = {
        ".".join(place.with_suffix("").parts).removesuffix(".__init__"): path
        for place, path in places.items()
        if not any(part.startswith((".", "_stack")) for part in place.parts)
    }
    return {name: imported(name, path, modules.keys()) - {name} for name, path in modules.items()}


def imported(name: str, path: Path, modules: set[str]) -> set[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            found |= {each if (each := f"{source}.{alias.name}") in modules else source for alias in node.names}
    return found & modules


def circle(uses: dict[str, set[str]]) -> list[str]:
    """The modules of a circle, each imported by the next; empty if there is none."""
    try:
        TopologicalSorter(uses).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_modules_import_each_other_in_a_circle():
    uses = graph(PACKAGES)
    assert len(uses) > 600
    assert circle(uses) == []


@pytest.mark.parametrize(
    "back",
    ["import room.one", "from room import one", "from . import one", "def late():\n    from room.one import x"],
)
def test_a_circle_is_found_and_its_modules_are_named(tmp_path, back):
    room = tmp_path / "room"
    room.mkdir()
    for name, text in {
        "__init__": "",
        "one": "from room.two import y",
        "two": "from room import three",
        "three": back,
    }.items():
        (room / f"{name}.py").write_text(text)
    found = circle(graph([room]))
    assert set(found) == {"room.one", "room.two", "room.three"}
    assert found[0] == found[-1]
    (room / "three.py").write_text("")
    assert circle(graph([room])) == []
