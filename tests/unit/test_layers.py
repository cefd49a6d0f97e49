"""Which layer may import which."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOYER = ROOT / "functions" / "deployer"
FORBIDDEN = {
    "domain": {"boto3", "botocore", "os", "time", "logging", "aws_lambda_powertools", "deployer.aws", "deployer.settings"},
    "steps": {"boto3", "botocore", "os", "deployer.events", "deployer.steps"},
    "events": {"boto3", "botocore", "os", "deployer.events", "deployer.steps"},
    "actions": {"boto3", "botocore", "os", "deployer.events", "deployer.steps"},
}  # fmt: skip


@cache
def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_does_not_reach_over_its_wall(layer):
    for path in (DEPLOYER / layer).rglob("*.py"):
        over = {
            name
            for name in imports(path)
            for wall in FORBIDDEN[layer]
            if name == wall or name.startswith(wall + ".")
        }
        assert not over, f"{path.relative_to(DEPLOYER)} imports {over}"


def test_only_the_aws_layer_imports_boto3():
    for path in DEPLOYER.rglob("*.py"):
        if path.parent.name != "aws":
            assert not {name for name in imports(path) if name.split(".")[0] in ("boto3", "botocore")}, path


def test_stubs_are_imported_for_types_alone():
    """Lambda's own Python has boto3, and no stubs of it; nor has the command line."""
    for path in [*DEPLOYER.rglob("*.py"), *(DEPLOYER.parents[1] / "portcall").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        for_types = {
            id(each)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for each in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and "mypy_boto3" in ast.unparse(node):
                assert id(node) in for_types, f"{path.name}: {ast.unparse(node)}"


def test_of_the_aws_layer_only_the_ledgers_items_have_no_type():
    """The stubs have types for the rest. DynamoDB has no schema, so an `Item` is a dict of Any."""
    aws = DEPLOYER / "aws"
    untyped = {path.name for path in aws.rglob("*.py") if re.search(r"\bAny\b", path.read_text())}
    assert untyped == {"items.py"}


@pytest.mark.parametrize(
    ("module", "alone"),
    [
        ("settings", {"image", "labels", "manifest", "task_definition"}),
        ("domain.task", {"image", "push"}),
        ("domain.image_spec", {"image", "labels", "manifest"}),
        ("domain.task_definition", {"image", "labels", "manifest"}),
    ],
)
def test_a_function_imports_nothing_that_it_does_not_need(module, alone):
    """Each import is paid for at each cold start; nearly every function reads the settings."""
    code = f"import sys, deployer.{module}; print(*sys.modules)"
    environment = {"PYTHONPATH": str(DEPLOYER.parent), "PATH": "/usr/bin:/bin"}
    loaded = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert not {f"deployer.domain.{name}" for name in alone} & set(loaded.split())


def test_the_health_check_starts_without_an_aws_client():
    """It talks to other people's code, and most deployments need no AWS there: boto3 is 300 ms of a cold start."""
    path = DEPLOYER / "steps" / "check_health.py"
    top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
    assert not [node for node in top if node.module and node.module.startswith("deployer.aws")]


PACKAGES = sorted(
    folder.relative_to(ROOT).as_posix()
    for package in ("functions/deployer", "portcall", "localcloud", "bench")
    for folder in (ROOT / package, *(ROOT / package).rglob("*"))
    if (folder / "__init__.py").exists()
)


@pytest.mark.parametrize("package", PACKAGES)
def test_of_two_parts_of_a_package_only_one_imports_the_other(package):
    """A part is a module, or a folder with its content. Indirect imports count, too."""
    name = package.removeprefix("functions/").replace("/", ".")
    uses = {part.removesuffix(".py"): set() for part in os.listdir(ROOT / package)}
    for path in (ROOT / package).rglob("*.py"):
        part = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
        within = {
            each.removeprefix(f"{name}.").split(".")[0] for each in imports(path) if each.startswith(f"{name}.")
        }
        uses[part] |= within & uses.keys() - {part}
    TopologicalSorter(uses).prepare()


SOURCES = [
    path
    for folder in ("functions", "portcall", "localcloud", "bench")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def test_files_and_functions_are_short_enough_to_read_at_once():
    for path in SOURCES:
        source = path.read_text()
        assert source.count("\n") <= 320, f"{path}: split it by subject"
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                assert lines <= 70, f"{path}: {node.name} has {lines} lines"
