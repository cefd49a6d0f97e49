"""What `portcall demo` does at the same time."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from localcloud.processes import CloudError
from localcloud.settings import CloudSettings
from portcall.cli import demo


def test_a_demo_gets_its_base_image_while_the_stack_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And builds once both are there."""
    done: list[str] = []
    installed = threading.Event()

    def bring_up(_: object, *, with_docker: Callable[[CloudSettings], None]) -> CloudSettings:
        with_docker(CloudSettings())
        done.append("stack" if has_begun.wait(60) else "alone")
        installed.set()
        return CloudSettings()

    def get_image(name: str, state_dir: Path, progress: Callable[[str], None]) -> None:
        assert name.startswith("python:")
        progress("Pulling it")
        has_begun.set()
        installed.wait(60)
        done.append("image")

    has_begun = threading.Event()
    monkeypatch.setattr(demo, "bring_up", bring_up)
    monkeypatch.setattr(demo, "read", lambda _: [])
    monkeypatch.setattr(demo, "ensure_base_image", get_image)
    monkeypatch.setattr(demo, "_docker", lambda _, command, *__: done.append(command))
    monkeypatch.setattr(demo, "follow", lambda *_, **__: [])
    monkeypatch.setattr(demo, "show", lambda *_: None)
    monkeypatch.setattr(demo, "_mail", lambda *_: SimpleNamespace(attributes={}, text=""))
    CliRunner().invoke(demo.demo)
    assert done == ["stack", "image", "build", "push"]


def test_a_base_image_that_cannot_be_had_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    def bring_up(_: object, *, with_docker: Callable[[CloudSettings], None]) -> CloudSettings:
        with_docker(CloudSettings())
        return CloudSettings()

    def fail(*_: object) -> None:
        raise CloudError("no network")

    monkeypatch.setattr(demo, "bring_up", bring_up)
    monkeypatch.setattr(demo, "read", lambda _: [])
    monkeypatch.setattr(demo, "ensure_base_image", fail)
    with pytest.raises(CloudError, match="no network"):
        CliRunner().invoke(demo.demo, catch_exceptions=False)
