"""Words whose meaning a newcomer had to learn, and the plain ones for them: none of the former comes back."""

import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The name, and the field's word for it.
PLAIN = {
    "CheckAddress": "CheckStableUrl",
    "KeepsTheWorldOut": "IsPrivate",
    "Meeting": "TaskRecord",
    "ReadTheAppsLastWords": "TailAppLogs",
    "UndeliveredPushes": "PushDeadLetterQueue",
    "addresses_of": "stable_urls_of",
    "failing": "rollback",
    "given_up_at": "abandoned_at",
    "halted": "gave_up_reason",
    "heal": "restart",
    "healing": "restarts, last_stop",
    "let_go": "point_at_current_with_retries",
    "mark_told": "mark_notified",
    "mend": "fix, repair",
    "move_address": "update_target",
    "open_address": "create_stable_url",
    "overtaken": "superseded",
    "retired": "previous_tasks",
    "see_tag": "record_tag",
    "stubbornly": "retry",
    "told_at": "notified_at",
    "took_over": "after_switch",
    "untold": "unmailed",
}
# A number that others must not exceed or wait for says how much of what: MAX_ATTEMPTS, PAUSE_SECONDS.
WITHOUT_UNIT = re.compile(
    r"(?:\w+_)?(?:WITHIN|PAUSE|TAKES?|AT_MOST|AT_ONCE|LOOKS)|KEEP|DAY|GRACE|ATTEMPTS|ROUNDS|WAITS"
)


def tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return listed.stdout.split()


def names(path: str) -> set[str]:
    """The identifiers of a file: of Python without strings and comments, of YAML all words."""
    text = (ROOT / path).read_text()
    if not path.endswith(".py"):
        return set(re.findall(r"\w+", re.sub(r"#.*", "", text)))
    return {
        each.string
        for each in tokenize.generate_tokens(io.StringIO(text).readline)
        if each.type == tokenize.NAME
    }


@pytest.mark.parametrize(
    "path", tracked("functions/*.py", "portcall/*.py", "template.yaml", "statemachine/*.yaml")
)
def test_no_name_is_one_that_needs_an_explanation(path):
    assert {name: PLAIN[name] for name in names(path) & PLAIN.keys()} == {}


@pytest.mark.parametrize("path", tracked("functions/*.py"))
def test_a_constant_says_its_unit(path):
    constants = re.findall(r"^([A-Z][A-Z_]+)(?:, ([A-Z_]+))* = [\d.]", (ROOT / path).read_text(), re.MULTILINE)
    assert [name for found in constants for name in found if WITHOUT_UNIT.fullmatch(name)] == []
