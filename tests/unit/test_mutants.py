"""The runner of mutants, without Cosmic Ray."""

import dataclasses
import sys
from types import ModuleType

import pytest

from bench.mutants import patch
from bench.mutants.explained import EXPLAINED, Explained
from bench.mutants.mutant import TIME_OUT, Mutant, Result, first_change
from bench.mutants.report import report
from bench.mutants.targets import files, module_of

FILE = "steps/admit_push.py"
SOURCE = """
from functools import cache, cached_property, wraps

LIMIT = 3

def logged(function):
    @wraps(function)
    def call(*arguments):
        return function(*arguments)
    return call

@logged
def handler(number, more=1):
    return number + more

@cache
def cached():
    return "before"

class Account:
    def apps(self):
        return [each for each in "abc"]

    @property
    def name(self):
        return "before"

    @cached_property
    def slots(self):
        return "before"

RULES = (handler,)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    path = tmp_path / "subject.py"
    path.write_text(SOURCE)
    found = ModuleType("deployer.subject")
    found.__file__ = str(path)
    exec(compile(SOURCE, str(path), "exec"), vars(found))
    monkeypatch.setitem(sys.modules, "deployer.subject", found)
    return found


def test_who_holds_on_to_a_function_sees_the_change(module):
    (held,) = module.RULES
    patch.apply(module, "@logged\ndef handler(number, more=2):\n    return number - more\n")
    assert (held(5), module.handler(5)) == (3, 3)


def test_methods_properties_and_cached_functions_are_changed(module):
    account = module.Account()
    patch.apply(
        module,
        "class Account:\n    def apps(self):\n        return []\n    @property\n    def name(self):\n        return 'after'\n"
        "    @cached_property\n    def slots(self):\n        return 'after'\n",
    )
    patch.apply(module, "@cache\ndef cached():\n    return 'after'\n")
    assert (account.apps(), account.name, account.slots, module.cached()) == ([], "after", "after", "after")


def test_who_imported_a_constant_sees_the_change_and_who_has_one_of_the_same_name_does_not(
    module, tmp_path, monkeypatch
):
    others = []
    for name, source in (("importer", "from deployer.subject import LIMIT\n"), ("namesake", "LIMIT = 3\n")):
        other = ModuleType(f"deployer.{name}")
        other.__file__ = str(tmp_path / f"{name}.py")
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.setitem(sys.modules, f"deployer.{name}", other)
        exec(source, vars(other))
        others.append(other)
    patch.apply(module, "LIMIT = 4\n")
    assert [each.LIMIT for each in (module, *others)] == [4, 4, 3]


@pytest.mark.parametrize(
    ("after", "first"), [("a\nc\nb\n", 1), ("c\na\nb\n", 0), ("a\nb\nd\n", 2), ("a\nb\nc\nd\n", 3)]
)
def test_the_first_changed_line_is_found_for_moved_and_added_statements(after, first):
    assert first_change("a\nb\nc\n", after) == first


def mutant(module="deployer.actions.restarts", after="    b = 3"):
    return Mutant(
        module,
        "NumberReplacer",
        10,
        range(11, 12),
        "def f():\n    b = 2\n    return b\n",
        f"def f():\n{after}\n    return b\n",
    )


SUBJECTS = {"deployer.actions.restarts": "restarts", "deployer.actions.previous_tasks": "switch-over"}
EXCUSED = Explained("deployer.actions.restarts", "- b = 2\n+ b = 3", "Nobody reads it.")


def test_a_mutant_of_a_constant_meets_all_tests_of_its_module_and_not_only_the_one_that_imported_it():
    imports, uses, neither = {FILE: [22]}, {FILE: [50]}, {"other.py": [22]}
    constant = Mutant(
        "deployer.steps.admit_push", "NumberReplacer", 22, range(22, 23), "DELAY = 30", "DELAY = 31"
    )
    assert [constant.may_be_noticed(FILE, lines) for lines in (imports, uses, neither)] == [True, True, False]
    function = dataclasses.replace(
        constant, before="def delay():\n    return 30", after="def delay():\n    return 31"
    )
    assert [function.may_be_noticed(FILE, lines) for lines in (imports, uses, neither)] == [True, False, False]


def test_each_survivor_is_shown_with_its_line():
    text, _ = report(SUBJECTS, [Result(mutant(), "", 4)], complete=True, excused=())
    assert (
        "deployer.actions.restarts (NumberReplacer)\n@@ line 10\n def f():\n-    b = 2\n+    b = 3\n     return b"
        in text
    )


@pytest.mark.parametrize(("killed", "good"), [(8, False), (9, True)])
def test_nine_of_ten_mutants_of_each_subject_are_to_be_killed(killed, good):
    results = [Result(mutant(), "a test" if number < killed else "", 1) for number in range(10)]
    results += [Result(mutant("deployer.actions.previous_tasks"), TIME_OUT, 1)] * 90
    text, enough = report(SUBJECTS, results, complete=True, excused=())
    assert enough is good
    assert f"| restarts | 10 | {killed} | 0 | {10 - killed} | 0 | {killed}0 % |" in text
    assert "| switch-over | 90 | 90 | 90 | 0 | 0 | 100 % |" in text


def test_an_explained_survivor_does_not_lower_the_score_and_is_not_shown():
    caught = [Result(mutant(module), "a test", 1) for module in SUBJECTS]
    text, good = report(SUBJECTS, [Result(mutant(), "", 1), *caught], complete=True, excused=(EXCUSED,))
    assert good
    assert "b = 3" not in text
    assert "| restarts | 2 | 1 | 0 | 1 | 1 | 100 % |" in text


def test_an_explanation_of_what_is_caught_or_gone_has_to_go():
    results = [Result(mutant(module), "a test", 1) for module in SUBJECTS]
    text, good = report(SUBJECTS, results, complete=True, excused=(EXCUSED,))
    assert not good
    assert "Explained, but caught or removed: deployer.actions.restarts\n- b = 2\n+ b = 3" in text
    assert report(SUBJECTS, results, complete=False, excused=(EXCUSED,))[1]


def test_nothing_is_explained_twice():
    assert len({(each.module, each.change) for each in EXPLAINED}) == len(EXPLAINED)


def test_a_path_that_names_no_file_is_an_error_though_others_of_its_subject_do():
    with pytest.raises(FileNotFoundError, match=r"actions/gone\.py"):
        files({"restarts": ("actions/__init__.py", "actions/gone.py")})


def test_each_target_is_there_and_each_explanation_is_of_lines_of_a_target():
    sources = {module_of(file): file.read_text() for file in files()}
    for each in EXPLAINED:
        lines = [line[2:] for line in each.change.splitlines() if line.startswith("- ")]
        assert [line for line in lines if line not in sources[each.module]] == [], each.module
