"""The keys of the ledger's items are spelled in one place, and the roles' conditions match them."""

import ast
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from deployer.aws import ledger_keys as keys

from localcloud import apps
from tests.unit.test_template import statements

ROOT = Path(__file__).parents[2]
APP, ARN = "shop/web:pr-1", "arn:aws:ecs:eu-west-1:111122223333:task/apps/1"
SPELLED = re.compile(r"(app|deployment|image|tag|task|mails)#")


def texts(path: Path) -> set[str]:
    """The strings of a module, docstrings aside."""
    tree = ast.parse(path.read_text())
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    }


def test_nobody_else_spells_a_key():
    spell = {
        path.relative_to(ROOT).as_posix()
        for folder in ("functions", "portcall", "localcloud", "tests/workflow", "tests/local", "tests/e2e")
        for path in (ROOT / folder).rglob("*.py")
        if any(SPELLED.match(text) for text in texts(path))
    }
    assert spell == {"functions/deployer/aws/ledger_keys.py", "localcloud/apps.py"}


def test_the_command_line_reads_the_item_that_the_functions_write():
    assert apps.key_of_current(APP) == keys.current(APP)


def test_a_key_says_what_it_was_made_of():
    name = keys.name_of("2026-11-25T10:00:00Z", "ecr-sweep#1")
    assert keys.app_of(keys.order(APP)["pk"]) == APP
    assert keys.tag_of(keys.tag(APP, "tag#latest")["sk"]) == "tag#latest"
    assert keys.time_and_deployment(keys.deployment(APP, name)["sk"]) == ("2026-11-25T10:00:00Z", "ecr-sweep#1")


def test_the_roles_are_held_to_keys_that_there_are():
    items = [
        keys.current(APP),
        keys.order(APP),
        keys.deployment(APP, "then#id"),
        keys.tag(APP, "latest"),
        keys.under_way("shop/web"),
        keys.SLOTS,
        keys.SWEEP,
        keys.mails_of_second(1),
        keys.mails_of_hour("shop/web", 1),
        keys.task(ARN),
        {"pk": keys.APPS},  # of the index
    ]
    patterns = set(leading_keys([statement for _, statement in statements()]))
    matches = {(pattern, item["pk"]) for pattern in patterns for item in items if fnmatch(item["pk"], pattern)}
    assert {pattern for pattern, _ in matches} == patterns
    assert {pk for _, pk in matches} == {item["pk"] for item in items}


def leading_keys(node: Any) -> list[str]:
    if isinstance(node, list):
        return [key for each in node for key in leading_keys(each)]
    if not isinstance(node, dict):
        return []
    return [
        key
        for name, each in node.items()
        for key in (each if name == "dynamodb:LeadingKeys" else leading_keys(each))
    ]
