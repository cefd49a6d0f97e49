"""Words whose meaning a newcomer had to learn, and the plain ones for them: none of the former comes back."""

import ast
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
    "told": "notified, result",
    "told_at": "notified_at",
    "took_over": "after_switch",
    "untold": "unmailed",
    # The rooms of the tree, too: portcall/core was called so.
    "desk": "core",
    "heard_of": "is_announced",
    "ripe": "settled",
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
    if not PLAIN.keys() & set(re.findall(r"\w+", text)):
        # Splitting into tokens takes a hundred times as long, for an answer that is known.
        return set()
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


# Words that are not used in prose, and the plain ones for them.
PRIVATE = {
    r"mend(s|ed|ing)?": "fix, repair",
    r"tell(s|ing)?|told": "report, say, mail",
    r"whoever": "anyone who, the one that",
    r"seams?": "patch",
    r"address(es)? that stays?": "stable URL",
    r"(what|that|which) (is|are) no (?!longer|more|other|such)\w+": "what is not a",
    r"overt(ake|akes|aking|aken|ook)": "supersede",
    r"kin": "similar",
    r"deal(s|t|ing)? with": "handle",
    r"(became|becomes?) of": "the outcome of",
    r"what (came|comes) of": "the result of",
    r"lift(s|ed)? (the|a|its) pin": "end the pin",
    r"lets? be": "ignore",
    r"led (on|to)": "pointed to",
    r"in trouble": "that need attention",
    r"how-manieth": "which attempt",
    r"anew": "again",
    r"all the same": "anyway",
    r"go(es)? on\b": "continue",
    r"hears?|(un)?heard": "get (an event, a mail), know",
    r"look(s|ed|ing)? after": "handle",
    r"dust": "everything has settled",
    r"comes? by here": "pass through here",
    r"thrown? away": "discard, not counted",
    r"road": "path, steps",
}
WORDS = re.compile("|".join(rf"\b(?:{each})\b" for each in PRIVATE), re.IGNORECASE)
PAGES = [
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", *tracked("docs/*.md"),
]  # fmt: skip
DEFINITIONS = ["template.yaml", "statemachine/deploy.asl.yaml"]
TEMPLATES = tracked("portcall/console/templates/*.html")
MAILS = tracked("tests/*/mails/*.txt")


def prose(path: str) -> list[str]:
    """The comments and docstrings of a file of Python, none if nothing in the file is looked for."""
    text = (ROOT / path).read_text()
    if not WORDS.search(text):
        return []
    comments = [
        each.string
        for each in tokenize.generate_tokens(io.StringIO(text).readline)
        if each.type == tokenize.COMMENT
    ]
    with_docstring = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, with_docstring)]
    return comments + [ast.get_docstring(node) or "" for node in nodes]


@pytest.mark.parametrize("path", tracked("*.py"))
def test_comments_and_docstrings_are_in_plain_words(path):
    if path == "tests/unit/test_plain_names.py":
        return
    assert [found[0] for each in prose(path) for found in WORDS.finditer(each)] == []


@pytest.mark.parametrize("page", [*PAGES, *DEFINITIONS, *TEMPLATES, *MAILS])
def test_the_pages_are_in_plain_words(page):
    """Of the template and the workflow, their comments and descriptions are read by people, too."""
    text = (ROOT / page).read_text()
    if page == "CHANGELOG.md":
        # What was released keeps its words.
        text = "".join(re.split(r"^(?=## )", text, flags=re.MULTILINE)[:2])
        assert "## Unreleased" in text
    assert [found[0] for found in WORDS.finditer(text)] == []


# `tell` is a method of Python's files.
@pytest.mark.parametrize("path", tracked("*.py"))
def test_names_are_in_plain_words(path):
    assert [each for each in names(path) - {"tell"} if WORDS.search(each.replace("_", " ").strip())] == []


# Words of messages that readers had to read twice, and the plain ones for them.
IN_MESSAGES = {
    r"(?<!there )is no (?!longer|more|other|such)\w+": "is not a",
    r"before long": "soon",
    r"none of Portcall's": "not an install of Portcall",
    r"say --": "use --",
    r"is at it": "is running",
    r"on (its|their) way": "in progress",
    r"(you|user|caller) may not": "have no permission to",
    r"taken by": "in use by",
}
MESSAGES = re.compile("|".join(rf"\b(?:{each})" for each in IN_MESSAGES) + "|" + WORDS.pattern, re.IGNORECASE)


def messages(path: str) -> list[str]:
    """The strings of a file of Python that are sentences or parts of one, without its docstrings."""
    tree = ast.parse((ROOT / path).read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
        if " " in node.value
    ]


@pytest.mark.parametrize("path", tracked("functions/*.py", "portcall/*.py", "localcloud/*.py"))
def test_messages_are_in_plain_words(path):
    assert [each for each in messages(path) if MESSAGES.search(each)] == []


@pytest.mark.parametrize("page", TEMPLATES)
def test_the_page_is_in_plain_words(page):
    assert [found[0] for found in MESSAGES.finditer((ROOT / page).read_text())] == []


# The name of a test begins with its subject.
NO_SUBJECT = re.compile(r"test (what|where) ")


@pytest.mark.parametrize("path", tracked("tests/**/test_*.py"))
def test_the_names_of_tests_are_in_plain_words(path):
    names = re.findall(r"^\s*(?:async )?def (test_\w+)", (ROOT / path).read_text(), re.MULTILINE)
    plain = {name: name.replace("_", " ") for name in names}
    assert [name for name, words in plain.items() if MESSAGES.search(words) or NO_SUBJECT.match(words)] == []
