"""The docstring of `bench` lists its commands by what they are for, and its rooms; no part imports a command."""

import ast
import re
from pathlib import Path

import pytest

import bench
from tests.unit.test_import_circles import graph

FOLDER = Path(bench.__file__).parent
# The mark of a command, and the name.
LISTED = re.findall(r"^  ([ *]) (\w+)  ?\S?", bench.__doc__ or "", re.MULTILINE)
ROOMS = {path.parent.name for path in FOLDER.glob("*/__init__.py")}
COMMANDS = {path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("__")} | {
    path.parent.name for path in FOLDER.glob("*/__main__.py")
}


def test_each_command_and_each_room_is_listed_once():
    assert sorted(LISTED) == sorted(("*" if name in COMMANDS else " ", name) for name in COMMANDS | ROOMS)


@pytest.mark.parametrize(
    "path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.relative_to(FOLDER).as_posix()
)
def test_only_commands_and_servers_can_be_run(path):
    place = path.relative_to(FOLDER)
    is_run = '__name__ == "__main__"' in path.read_text() or path.stem == "__main__"
    is_command = (len(place.parts) == 1 and path.stem != "__init__") or path.stem == "__main__"
    is_server = place.parts[0] == "servers" and place.stem in ("counting", "rate_limited", "faulty")
    assert is_run == (is_command or is_server)


def climbing(uses: dict[str, set[str]], commands: set[str]) -> list[tuple[str, str]]:
    """A part and the command that it imports, a command's own parts besides."""
    part_of = {name: name.split(".")[1] for name in uses if name.count(".")}
    is_part = {name: name.count(".") > 1 and part_of[name] not in commands for name in part_of}
    return sorted(
        (name, other)
        for name in part_of
        if is_part[name]
        for other in uses[name]
        if part_of.get(other) in commands
    )


def test_no_part_imports_a_command():
    assert climbing(graph([FOLDER]), COMMANDS) == []


def test_a_part_that_imports_a_command_is_found():
    uses = {
        "bench.cloud.app": {"bench.drain", "bench.ways.polling"},
        "bench.drain": set(),
        "bench.ways.polling": set(),
    }
    assert climbing(uses, {"drain"}) == [("bench.cloud.app", "bench.drain")]


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_says_what_it_is_for_in_a_line(room):
    text = ast.get_docstring(ast.parse((FOLDER / room / "__init__.py").read_text())) or ""
    assert re.match(r"[^\n]{20,}\.(\n\n|$)|[^\n]{20,}: `python -m", text)


def test_every_keyword_of_start_cloud_is_a_parameter_or_an_environment_variable():
    """`start_cloud` passes all other keywords on as variables: a misspelled parameter would change nothing."""
    files = [*FOLDER.rglob("*.py"), *(FOLDER.parent / "tests").rglob("*.py")]
    calls = [
        (path.name, keyword.arg)
        for path in files
        if "start_cloud(" in path.read_text()
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("start_cloud")
        for keyword in call.keywords
    ]
    assert len(calls) > 5
    known = {"port", "through", None}
    assert [(name, each) for name, each in calls if each not in known and not each.isupper()] == []
