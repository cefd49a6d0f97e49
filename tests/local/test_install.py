"""The README's commands, typed in a terminal in a fresh clone."""

import contextlib
import os
import pty
import re
import select
import shutil
import subprocess
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud.settings import PROJECT, CloudSettings
from portcall.installer.packaged import Packaged
from tests import installing
from tests.conftest import StateFolder
from tests.local.conftest import ACCOUNT, REGION, Cloud
from tests.local.installed import cloud_of_its_own, inventory

pytestmark = pytest.mark.long(110)

# What SAM and make may take together, with nothing in their caches.
WITHIN = 420.0
QUESTION = re.compile(r"\[[yYnN]/[yYnN]\]|\[[^\]\n]*\]: $")


def commands(having: str) -> list[str]:
    """The lines of the only block in README.md's section on installing that has this."""
    readme = (PROJECT / "README.md").read_text()
    section = readme.partition("\n## Install it in AWS\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)
    (block,) = (block for block in blocks if having in block)
    return [line.strip() for line in block.splitlines()]


@dataclass
class Terminal:
    """A shell whose input is a terminal at which nobody types an answer."""

    folder: Path
    environment: dict[str, str]

    def types(self, *lines: str) -> tuple[int, str]:
        """Run the lines one by one until one fails; the exit code, and what the terminal showed."""
        script = self.folder / "typed.sh"
        script.write_text("set -e\n" + "\n".join(lines) + "\n")
        ours, theirs = pty.openpty()
        # Wide enough for SAM's table not to break a reason.
        termios.tcsetwinsize(theirs, (50, 800))
        shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc", str(script)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=self.folder,
            env=self.environment,
            start_new_session=True,
        )
        os.close(theirs)
        shown, deadline = "", time.monotonic() + WITHIN
        with contextlib.closing(os.fdopen(ours, "rb", buffering=0)) as screen:
            while time.monotonic() < deadline:
                if not select.select([screen], [], [], 1)[0]:
                    continue
                try:
                    seen = screen.read(65536)
                except OSError:  # the other end is closed
                    break
                shown += seen.decode(errors="replace")
                if QUESTION.search(shown):
                    shell.kill()
                    pytest.fail(f"It asked something:\n{shown[-2000:]}")
        if shell.poll() is None and time.monotonic() > deadline:
            shell.kill()
            pytest.fail(f"It did not end within {WITHIN} seconds:\n{shown[-4000:]}")
        return shell.wait(), shown


@pytest.fixture(scope="module")
def account(engine: None, state_folder: StateFolder) -> Iterator[Cloud]:
    """An account in which ECS was never used."""
    with cloud_of_its_own(state_folder("account"), PORTCALL_SWITCHES="ecs-role-late=1") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree as it is here, in a repository that can be cloned."""
    folder = tmp_path_factory.mktemp("upstream")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=PROJECT, text=True).split("\0"):
        if name and (PROJECT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "--message", "All")
    return folder


def git(folder: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=folder, text=True)


@dataclass
class Newcomer:
    """Somebody with a terminal, an account and a clone."""

    cloud: Cloud
    terminal: Terminal

    @property
    def clone(self) -> Path:
        return self.terminal.folder / "portcall"

    def in_the_clone(self, *lines: str) -> tuple[int, str]:
        return self.terminal.types("cd portcall && source .venv/bin/activate", *lines)

    def stack(self, name: str = "portcall") -> dict[str, Any]:
        (stack,) = self.cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        return dict(stack)

    def parameters(self, name: str = "portcall") -> dict[str, str]:
        return {each["ParameterKey"]: each["ParameterValue"] for each in self.stack(name)["Parameters"]}


@pytest.fixture(scope="module")
def installed(
    account: Cloud, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Newcomer, str]:
    """After the first block of the README's section, and what it showed."""
    settings = CloudSettings(account.port, ACCOUNT, REGION, account.state_dir)
    environment = {
        **settings.process_environment(),
        "SAM_CLI_POLL_DELAY": "0.5",
        "TERM": "xterm",
        # As little as a login shell has; SAM, uv and Python's packages must come from what is typed.
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    environment.pop("VIRTUAL_ENV", None)
    newcomer = Newcomer(account, Terminal(tmp_path_factory.mktemp("home"), environment))
    typed = [line.replace("<this repository>", str(repository)) for line in commands("git clone")]
    code, shown = newcomer.terminal.types(*typed)
    assert code == 0, shown[-6000:]
    return newcomer, shown


def test_the_install_asks_nothing_and_prints_the_three_commands_that_come_next(
    installed: tuple[Newcomer, str],
) -> None:
    newcomer, shown = installed
    assert newcomer.stack()["StackStatus"] == "CREATE_COMPLETE"
    assert newcomer.parameters()["Email"] == "you@example.com"
    for step in ("aws ecr get-login-password", "docker tag flask-app:latest", "docker push"):
        assert step in shown


def test_a_second_install_does_not_touch_the_first(installed: tuple[Newcomer, str]) -> None:
    newcomer, _ = installed
    before = newcomer.stack()
    second = commands("--stack-name")
    code, shown = newcomer.in_the_clone(*second)
    assert code == 0, shown[-6000:]
    (name,) = re.findall(r"--stack-name (\S+)", " ".join(second))
    assert newcomer.stack(name)["StackStatus"] == "CREATE_COMPLETE"
    assert newcomer.parameters(name)["RepositoryName"] != newcomer.parameters()["RepositoryName"]
    assert newcomer.stack() == before


def test_changing_one_parameter_keeps_the_others(installed: tuple[Newcomer, str]) -> None:
    newcomer, _ = installed
    (change,) = commands("sam deploy --parameter-overrides MaxMemory")
    before = newcomer.parameters()
    changed = dict(word.split("=", 1) for word in change.split() if "=" in word)
    code, shown = newcomer.in_the_clone(change)
    assert code == 0, shown[-6000:]
    assert newcomer.stack()["StackStatus"] == "UPDATE_COMPLETE"
    assert newcomer.parameters() == before | changed != before


def test_an_upgrade_keeps_all_parameters(installed: tuple[Newcomer, str], repository: Path) -> None:
    newcomer, _ = installed
    before = newcomer.parameters()
    template = repository / "template.yaml"
    template.write_text(template.read_text().replace("DisplayName: Portcall\n", "DisplayName: Newer\n"))
    git(repository, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--all", "--quiet", "--message", "2")  # fmt: skip
    code, shown = newcomer.in_the_clone(*commands("git pull"))
    assert code == 0, shown[-6000:]
    topic = {each["OutputKey"]: each["OutputValue"] for each in newcomer.stack()["Outputs"]}["TopicArn"]
    attributes = newcomer.cloud.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    assert attributes["DisplayName"] == "Newer"
    assert newcomer.parameters() == before


def repositories(newcomer: Newcomer) -> dict[str, int]:
    """How many images each has."""
    ecr = newcomer.cloud.client("ecr")
    names = [each["repositoryName"] for each in ecr.describe_repositories()["repositories"]]
    return {name: len(ecr.list_images(repositoryName=name)["imageIds"]) for name in names}


def test_an_install_that_fails_says_why_and_leaves_nothing(installed: tuple[Newcomer, str]) -> None:
    newcomer, _ = installed
    before = inventory(newcomer.cloud)
    code, shown = newcomer.in_the_clone(
        "sam deploy --stack-name third --parameter-overrides Email=you@example.com"
    )
    assert code != 0
    assert "'flask-app' already exists" in shown
    assert inventory(newcomer.cloud) == before


def test_a_repository_that_exists_is_used_and_stays(installed: tuple[Newcomer, str]) -> None:
    newcomer, _ = installed
    newcomer.cloud.client("ecr").create_repository(repositoryName="theirs")
    newcomer.cloud.push("theirs", ["true"], tag="unwatched")
    before = inventory(newcomer.cloud)
    use = "RepositoryName=theirs RepositoryExists=yes TagPattern=latest"
    code, shown = newcomer.in_the_clone(
        f"sam deploy --stack-name third --parameter-overrides Email=you@example.com {use}"
    )
    assert code == 0, shown[-6000:]
    assert "theirs:latest" in shown
    code, shown = newcomer.in_the_clone("sam delete --stack-name third --no-prompts")
    assert code == 0, shown[-6000:]
    assert inventory(newcomer.cloud) == before
    assert repositories(newcomer)["theirs"] == 1


def test_a_repository_that_is_renamed_keeps_its_images_until_the_stack_is_deleted(
    installed: tuple[Newcomer, str], release: Packaged
) -> None:
    newcomer, _ = installed
    client = newcomer.cloud.client
    before = inventory(newcomer.cloud)
    installing.create(client, release, {"RepositoryName": "old", "TagPattern": "latest"}, "third")
    newcomer.cloud.push("old", ["true"], tag="unwatched")
    installing.update(client, {"RepositoryName": "new"}, "third")
    assert {"old": 1, "new": 0}.items() <= repositories(newcomer).items()
    installing.delete(client, "third")
    assert inventory(newcomer.cloud) == before


def test_nothing_of_it_is_in_a_file_that_git_tracks(installed: tuple[Newcomer, str]) -> None:
    newcomer, _ = installed
    assert git(newcomer.clone, "status", "--porcelain") == ""
