"""Files whose tests share a cloud share no app: the second one would find what the first one left running."""

import ast
import re
from collections import defaultdict
from pathlib import Path

E2E = Path(__file__).parents[1] / "e2e"
# The name of the example's repository. Only files that start clouds of their own use it.
EXAMPLE = "flask-app"


def test_each_app_of_the_shared_cloud_belongs_to_one_file() -> None:
    files: dict[str, set[str]] = defaultdict(set)
    for file in E2E.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            # A part of an f-string, such as "-app", is no name.
            if isinstance(node, ast.Constant) and re.fullmatch(r"[a-z][a-z0-9-]*-app", str(node.value)):
                files[str(node.value)].add(file.name)
    assert len(files) > 20
    shared = {app: sorted(names) for app, names in files.items() if len(names) > 1 and app != EXAMPLE}
    assert not shared, f"Give the app a name of its own in each file: {shared}"
