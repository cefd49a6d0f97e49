"""Each patch of MiniStack says what it is for, and is on the list."""

import ast
import re
from pathlib import Path

import pytest

from localcloud.patches.install import PATCHES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "localcloud/patches"
MODULES = {Path(patch.__file__ or "").relative_to(FOLDER).as_posix(): patch for patch in PATCHES}
HEADER = re.compile(
    r"\A\S.+\.\n\n(?:.+\n\n)*?"
    r"MiniStack: (?P<ministack>.+?\.)\n"
    r"AWS: (?P<aws>.+?\.)\n(?:    https://\S+\n)*"
    r"    (?P<link>https://docs\.aws\.amazon\.com/\S+)\n"
    r"Upstream: (?P<upstream>none known|https://github\.com/ministackorg/ministack/(?:issues|pull)/\d+)\n"
    r"Kind: (?P<kind>core|fidelity|option \([^)]+\))\n\Z",
    re.DOTALL,
)


@pytest.mark.parametrize("path", MODULES)
def test_a_patch_begins_with_what_ministack_does_and_what_aws_does(path: str) -> None:
    assert HEADER.match(MODULES[path].__doc__ or ""), MODULES[path].__doc__


def test_every_file_that_installs_a_patch_is_on_the_list() -> None:
    installing = {
        file.relative_to(FOLDER).as_posix()
        for file in FOLDER.rglob("*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "install" and file.name != "install.py"
    }
    assert installing == set(MODULES)


def test_a_patch_lives_with_its_service() -> None:
    services = {
        "apigateway", "aws_lambda", "cloudformation", "ec2", "ecr", "ecs", "eventbridge", "iam", "sns", "ssm",
        "step_functions",
    }  # fmt: skip
    assert {path.partition("/")[0] for path in MODULES} == services | {"switched.py"}
