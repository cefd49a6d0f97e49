"""Each patch of MiniStack has a header, is in the list, and patches something that MiniStack has."""

import ast
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest
from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from localcloud.options import Settings
from localcloud.patches import __main__ as overview
from localcloud.patches import patch
from localcloud.patches.install import PATCHES, PINNED
from localcloud.patches.step_functions import step_functions

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "localcloud/patches"
MODULES = {Path(module.__file__ or "").relative_to(FOLDER).as_posix(): module for module in PATCHES}
CHANGES = [(path, change) for path, module in MODULES.items() for change in patch.changes_of(module)]
HEADER = re.compile(
    r"\A\S.+\.\n\n(?:.+\n\n)*?"
    r"MiniStack: (?P<ministack>.+?\.)\n"
    r"AWS: (?P<aws>.+?\.)\n(?:    https://\S+\n)*"
    r"    (?P<link>https://docs\.aws\.amazon\.com/\S+)\n"
    r"Upstream: (?:none known|https://github\.com/ministackorg/ministack/(?:issues|pull)/\d+"
    r"|none known, ready to send:(?P<reports>(?:\n    docs/upstream/\S+\.md)+))\n"
    r"Kind: (?P<kind>core|fidelity|speed|option \([^)]+\))\n\Z",
    re.DOTALL,
)
SETTINGS = Settings(
    port=1, account="123456789012", region="us-east-1", state_dir=Path("/nowhere"),
    lambda_python=Path("/nowhere"), root_secret="",
)  # fmt: skip


@pytest.mark.parametrize("path", MODULES)
def test_a_patch_begins_with_what_ministack_does_and_what_aws_does(path: str) -> None:
    assert HEADER.match(MODULES[path].__doc__ or ""), MODULES[path].__doc__


def test_each_report_for_ministack_belongs_to_a_patch_and_back() -> None:
    named = {
        (report, f"localcloud/patches/{path}")
        for path, module in MODULES.items()
        for report in re.findall(r"^    docs/upstream/(\S+)$", module.__doc__ or "", re.MULTILINE)
    }
    reports = {
        (file.name, found[1])
        for file in (ROOT / "docs/upstream").glob("*.md")
        if (found := re.search(r"\]\(\.\./\.\./(localcloud/patches/\S+)\)", file.read_text()))
    }
    assert named == reports


@pytest.mark.parametrize("path", sorted((ROOT / "docs/upstream").glob("*-*.md")), ids=lambda path: path.stem)
def test_a_report_for_ministack_has_what_its_form_asks_for(path: Path) -> None:
    text = path.read_text()
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["What happens", "What AWS does", "Reproduction", "Suggested change"]
    assert f"MiniStack {PINNED}" in text
    assert re.search(r"<https://docs\.aws\.amazon\.com/\S+>", text)


def test_every_file_with_a_patch_is_on_the_list() -> None:
    def patches(file: Path) -> bool:
        tree = ast.parse(file.read_text())
        functions = [each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
        decorators = {ast.unparse(each).partition("(")[0] for one in functions for each in one.decorator_list}
        return bool(decorators & {"patch", "patch_resource", "add_action", "add_resource"}) or any(
            one.name == "prepare" for one in functions
        )

    assert {file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*.py") if patches(file)} == set(
        MODULES
    )


def test_a_patch_lives_with_its_service() -> None:
    services = {
        "apigateway", "aws_lambda", "cloudformation", "ec2", "ecr", "ecs", "eventbridge", "iam", "logs", "sns",
        "ssm", "step_functions",
    }  # fmt: skip
    assert {path.partition("/")[0] for path in MODULES} == services | {"switched.py"}


@pytest.mark.parametrize(("path", "change"), CHANGES, ids=[f"{path}:{each.name}" for path, each in CHANGES])
def test_patched_functions_exist_and_added_ones_do_not(path: str, change: patch.Change) -> None:
    if change.owner == "CloudFormation":
        kind, operation = change.name.split()
        known = operation in provisioners._RESOURCE_HANDLERS.get(kind, {})
    else:
        known = hasattr(importlib.import_module(change.owner), change.name)
    assert known is change.make.__qualname__.startswith("patch")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module as MiniStack has them: a function under its name, and in a table."""
    module = ModuleType("ministack_service")
    exec("def run(text): return f'ran {text}'\ntable = {'Run': run}", vars(module))
    return module


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of patches; what it registers is forgotten after the test."""
    monkeypatch.setattr(patch, "_changes", {})
    return ModuleType(__name__)


def test_a_patch_is_called_under_the_name_and_in_tables_with_what_was_there_before(
    service: ModuleType, ours: ModuleType
) -> None:
    @patch.patch(service, "run")
    def inner(original: patch.Function, text: str) -> str:
        return f"({original(text)})"

    @patch.patch(service, "run")
    def outer(original: patch.Function, text: str, *, settings: Settings) -> str:
        return f"{settings.account} {original(text)}"

    assert service.run("a") == "ran a"
    patch.apply(ours, SETTINGS)
    assert service.run("a") == service.table["Run"]("a") == "123456789012 (ran a)"


def test_a_patch_with_a_condition_is_only_made_where_that_is_true(
    service: ModuleType, ours: ModuleType
) -> None:
    @patch.patch(service, "run", when=lambda settings: settings.port == 2)
    def never(original: patch.Function, text: str) -> str:
        return ""

    patch.apply(ours, SETTINGS)
    assert service.run("a") == "ran a"


def test_a_patch_of_what_ministack_no_longer_has_is_an_error(service: ModuleType, ours: ModuleType) -> None:
    patch.patch(service, "gone")(lambda original: None)
    with pytest.raises(patch.PatchError, match=r"ministack_service\.gone does not exist in this version"):
        patch.apply(ours, SETTINGS)


def test_the_overview_says_what_a_call_goes_through_outermost_first(capsys: pytest.CaptureFixture[str]) -> None:
    overview.main(["RunTask"])
    printed = capsys.readouterr().out
    first, *rest = re.split(r"\n(?=\S)", printed)
    assert [line.split()[0] for line in first.splitlines()[1:]] == [
        "ecs/client_token.py", "switched.py", "ecs/task_record.py", "ec2/network_interfaces.py", "ecs/ecs_role.py",
    ]  # fmt: skip
    # What the task that it starts goes through as well, also on its thread.
    assert any("_start_task_worker" in each and "ecs/task_secrets.py" in each for each in rest)
    assert "stepfunctions" not in printed


def test_the_overview_knows_actions_that_only_a_patch_has(capsys: pytest.CaptureFixture[str]) -> None:
    overview.main(["StartImageScan"])
    assert "ecr/image_scans.py" in capsys.readouterr().out


def test_the_overview_of_an_unknown_action_says_so() -> None:
    with pytest.raises(SystemExit, match="No service that is patched has the action RunTusk"):
        overview.main(["RunTusk"])


def test_the_overview_has_every_patch(capsys: pytest.CaptureFixture[str]) -> None:
    overview.main([])
    printed = capsys.readouterr().out
    assert all(change.function.__name__ in printed for _path, change in CHANGES)


def test_an_execution_begins_at_once_and_its_later_pauses_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "time.sleep(0.15)" in inspect.getsource(stepfunctions._run_execution)
    slept: list[float] = []
    monkeypatch.setattr(step_functions.time, "sleep", slept.append)
    step_functions._is_starting.set(True)
    clock = step_functions._Time("time")
    clock.sleep(0.15)
    clock.sleep(7)
    assert slept == [7]
    assert clock.monotonic is step_functions.time.monotonic
