"""The docstring of `bench` lists its modules by what they are for."""

import re
from pathlib import Path

import bench

FOLDER = Path(bench.__file__).parent
# The mark of a command, and the name.
LISTED = re.findall(r"^  ([ *]) (\w+)  ?\S?", bench.__doc__ or "", re.MULTILINE)


def modules():
    """The name of each module -> its text."""
    found = {path.stem: path for path in FOLDER.glob("*.py") if not path.stem.startswith("__")}
    found |= {path.parent.name: path for path in FOLDER.glob("*/__main__.py")}
    return {name: path.read_text() for name, path in found.items()}


def test_each_module_is_listed_once():
    assert sorted(name for _, name in LISTED) == sorted(modules())


def test_the_commands_are_marked():
    commands = {
        name for name, text in modules().items() if '__name__ == "__main__"' in text or name == "mutants"
    }
    assert {name for mark, name in LISTED if mark == "*"} == commands
