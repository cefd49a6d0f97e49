"""A result names the commit whose code it measured."""

import subprocess
from pathlib import Path

import pytest

from bench.reporting import results


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bench/results").mkdir(parents=True)
    (tmp_path / "bench/code.py").write_text("1\n")
    (tmp_path / "bench/results/deployment.json").write_text("{}\n")
    author = ("-c", "user.name=Me", "-c", "user.email=me@example.com")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-qm", "One")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(results, "FOLDER", tmp_path / "bench/results")
    return tmp_path


def test_changed_code_is_not_the_commits(repository: Path) -> None:
    (repository / "bench/code.py").write_text("2\n")
    results.keep("deployment", {})
    assert results.read("deployment")["commit"].endswith("-dirty")


def test_the_results_of_earlier_rounds_are_no_change_of_the_code(repository: Path) -> None:
    for _ in range(2):
        results.keep("deployment", {})
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=repository, capture_output=True, text=True
    )
    assert results.read("deployment")["commit"] == head.stdout.strip()
