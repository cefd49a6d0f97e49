"""Debian's packages: which are installed when, and without which others."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from localcloud.machine import debian, docker_packages

ROOT = Path(__file__).parents[2]
LOCK_TIMEOUT = ["-o", "DPkg::Lock::Timeout=120"]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[str]]:
    """`commands(age)` are the apt-get commands of an install, with package lists of that age in seconds."""

    def of(age: float, *, known: bool = True) -> list[str]:
        ran: list[str] = []
        monkeypatch.setattr(debian, "LISTS", tmp_path)
        os.utime(tmp_path, times=(time.time() - age,) * 2)
        monkeypatch.setattr(debian, "known", lambda _: known)
        monkeypatch.setattr(debian, "as_root", list)
        monkeypatch.setattr(debian.subprocess, "run", lambda command, **_: ran.append(command[5]))
        monkeypatch.setattr(debian, "run", lambda command, **_: ran.append(command[5]))
        debian.install(["one", "other"], log=tmp_path / "log", progress=lambda _: None)
        return ran

    return of


@pytest.mark.parametrize("age", [3601, 1e9])
def test_old_lists_are_updated_before_an_install(commands: Callable[..., list[str]], age: float) -> None:
    assert commands(age) == ["update", "install"]


def test_lists_of_the_last_hour_are_not_updated_again(commands: Callable[..., list[str]]) -> None:
    assert commands(3000) == ["install"]


def test_lists_that_do_not_name_the_package_are_updated(commands: Callable[..., list[str]]) -> None:
    """An image of Debian often comes with none."""
    assert commands(0, known=False) == ["update", "install"]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A Debian without Docker, whose user is root."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(docker_packages, "SOCKET", tmp_path / "docker.sock")
    monkeypatch.setattr(debian, "is_debian", lambda: True)
    monkeypatch.setattr(debian, "as_root", list)
    monkeypatch.setattr(debian, "which", lambda _: None)
    return monkeypatch


def test_docker_is_installed_early_where_there_is_none(bare: pytest.MonkeyPatch) -> None:
    assert docker_packages.are_needed()


def test_docker_is_not_installed_where_there_is_one(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare.setattr(debian, "which", lambda program: f"/usr/bin/{program}" if program == "docker" else None)
    assert not docker_packages.are_needed()
    bare.setattr(debian, "which", lambda _: None)
    (tmp_path / "docker.sock").touch()
    assert not docker_packages.are_needed()


def test_docker_is_not_installed_where_it_is_elsewhere_or_may_not_be(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("DOCKER_HOST", "ssh://elsewhere")
    assert not docker_packages.are_needed()
    bare.delenv("DOCKER_HOST")
    bare.setattr(debian, "as_root", lambda: None)
    assert not docker_packages.are_needed()
    bare.setattr(debian, "as_root", list)
    bare.setattr(debian, "is_debian", lambda: False)
    assert not docker_packages.are_needed()


def test_docker_is_installed_before_any_package_of_python_is_there() -> None:
    command = [sys.executable, "-S", "-c", "import localcloud.machine.docker_packages"]
    subprocess.run(command, cwd=ROOT, check=True)
    assert "python -m localcloud.machine.docker_packages" in (ROOT / "bootstrap.sh").read_text().replace(
        '"$PYTHON"', "python"
    )
