"""The files that contributors expect exist, and do the same as `make` and `.ci/run`."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import hypothesis
import yaml

from bench import readme
from tests.templates import template

ROOT = Path(__file__).parents[2]


def parsed(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_ci_runs_what_a_laptop_runs() -> None:
    workflow = parsed(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    run = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert run == [".ci/run", "make unit-lambda"]
    assert all(job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())
    assert (ROOT / ".ci/run").stat().st_mode & 0o100


def test_the_tests_on_lambdas_python_run_on_that_of_the_template() -> None:
    runtime = template()["Globals"]["Function"]["Runtime"]
    assert f"--python {runtime.removeprefix('python')} " in (ROOT / "Makefile").read_text()


def test_an_action_is_named_by_its_commit() -> None:
    uses = re.findall(r"uses: (\S+)", (ROOT / ".github/workflows/ci.yml").read_text())
    assert uses
    assert [each for each in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each)] == []


def test_every_dependency_is_kept_up_to_date() -> None:
    updates = parsed(".github/dependabot.yml")["updates"]
    watched = {
        (each["package-ecosystem"], folder.strip("/"))
        for each in updates
        for folder in each.get("directories") or [each["directory"]]
    }
    kinds = {"uv.lock": "uv", "Dockerfile": "docker"}
    own = [path for name in kinds for path in ROOT.rglob(name)]
    wanted = {
        (kinds[path.name], "" if path.parent == ROOT else path.parent.relative_to(ROOT).as_posix())
        for path in own
        if not {".venv", "tests", ".portcall", ".aws-sam"} & set(path.relative_to(ROOT).parts)
    }
    assert wanted <= watched
    assert {("github-actions", ""), ("pip", "flask_app")} <= watched
    for _, folder in watched:
        assert (ROOT / folder).is_dir()


def test_a_commit_is_held_to_the_tools_of_the_lock_file() -> None:
    hooks = [hook for repo in parsed(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert all(hook["language"] == "system" and hook["entry"].startswith(".venv/bin/") for hook in hooks)
    assert {hook["entry"].split()[0].rpartition("/")[2] for hook in hooks} == {"ruff", "mypy", "cfn-lint"}


def test_the_dev_container_has_what_the_demo_needs() -> None:
    text = (ROOT / ".devcontainer/devcontainer.json").read_text()
    container = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    assert (container["privileged"], container["remoteUser"]) == (True, "root")
    assert container["postCreateCommand"] == "make tools"
    dockerfile = (ROOT / ".devcontainer" / container["build"]["dockerfile"]).read_text()
    for package in ("docker.io", "docker-cli", "iptables", "git", "make"):
        assert re.search(rf"\s{re.escape(package)}\s", dockerfile), package


def test_an_issue_is_asked_for_what_helps() -> None:
    for path in sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.md")):
        _, header, body = path.read_text().split("---\n", 2)
        assert {"name", "about", "labels"} <= set(yaml.safe_load(header)), path
        assert "**" in body
    assert "SECURITY.md" in (ROOT / ".github/ISSUE_TEMPLATE/bug.md").read_text()


def test_a_version_is_the_same_wherever_it_is_named() -> None:
    """pyproject.toml has it; the stack's output, the newest dated section of the changelog, and the docs follow."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (stack,) = re.findall(
        r"^  Portcall: \{Version: &version (\S+)\}$", (ROOT / "template.yaml").read_text(), re.M
    )
    sections = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert stack == version
    assert sections[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", sections[1])
    for path in ("README.md", "docs/ci.md", "docs/operations.md"):
        named = re.findall(
            r"(?:portcall-|portcall@v|portcall/action@v)(\d+\.\d+\.\d+)", (ROOT / path).read_text()
        )
        assert set(named) == {version}, path


def test_no_property_fails_because_the_machine_is_busy() -> None:
    assert hypothesis.settings.default is not None
    assert hypothesis.settings.default.deadline is None


def test_the_changelog_of_a_released_version_does_not_change() -> None:
    """New lines belong under Unreleased. A clone without tags cannot say what was released."""
    known = subprocess.run(["git", "tag", "--list", "v*"], cwd=ROOT, capture_output=True, text=True, check=True)
    changelog = (ROOT / "CHANGELOG.md").read_text()
    for tag in known.stdout.split():
        released = subprocess.run(
            ["git", "show", f"{tag}:CHANGELOG.md"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert changelog.endswith(released[released.index(f"## {tag.removeprefix('v')} (") :]), tag


def test_a_placeholder_in_an_example_is_explained_on_its_page() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    with_owner = {page: page.read_text() for page in pages if re.search(r"\bOWNER/", page.read_text())}
    assert with_owner
    missing = [str(page) for page, text in with_owner.items() if "Replace `OWNER`" not in text]
    assert missing == []


def test_the_readme_shows_what_the_demo_printed_last() -> None:
    shown = readme.README.read_text()
    assert readme.with_output(shown, readme.KEPT.read_text()) == shown


def test_the_output_is_shown_without_what_is_of_this_machine() -> None:
    printed = (
        "\n  Looking for a base image … ✓ 0.0 s\n  docker push localhost:41234/flask-app:latest … ✓ 4.5 s   \n"
        f"Logs: {'x' * 100} {'y' * 40}\n\nIt keeps running. Watch it: portcall console\n"
    )
    assert readme.shown(printed, 41234) == (
        f"  docker push localhost:4566/flask-app:latest … ✓ 4.5 s\nLogs: {'x' * 100} ...\n"
    )
