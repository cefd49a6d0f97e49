"""`pip install portcall` gives a working command line without the packages of the extra `local`."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from localcloud import settings
from portcall.cli import main

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What the packages of the extra are imported as.
EXTRA = {
    "aws-sam-cli": ["samcli", "samtranslator"],
    "cfn-lint": ["cfnlint"],
    "docker": ["docker", "requests"],  # which docker brings
    "hypercorn": ["hypercorn"],
    "ministack": ["ministack"],
    "psutil": ["psutil"],
    "regex": ["regex"],
    "statelint": ["statelint"],
    "uv": ["uv"],
    "zstandard": ["zstandard"],
}
BLOCKED = sorted(name for names in EXTRA.values() for name in names)
RUN = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
from portcall.cli.main import main
main()
"""


def portcall(*words: str, state_dir: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PORTCALL_STATE_DIR": str(state_dir), "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    command = [sys.executable, "-c", RUN, *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_the_extra_is_what_is_blocked() -> None:
    named = {each.replace(">", "=").partition("=")[0] for each in PROJECT["optional-dependencies"]["local"]}
    assert named == set(EXTRA)
    assert {each.partition(">")[0] for each in PROJECT["dependencies"]} == {"boto3", "click", "flask", "rich"}


def test_help_names_every_command(tmp_path: Path) -> None:
    done = portcall("--help", state_dir=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    listed = dict(line.split(maxsplit=1) for line in done.stdout.partition("Commands:\n")[2].splitlines())
    assert list(listed) == list(main.COMMANDS)
    lacking = {name for name, text in listed.items() if text == "(needs the extra portcall[local])"}
    assert lacking == {"up", "down", "demo", "verify-aws"}


@pytest.mark.parametrize(
    "words", [["up"], ["up", "--detach"], ["demo"], ["verify-aws", "--only", "first-push"]]
)
def test_a_command_that_needs_the_extra_says_so_in_a_sentence(tmp_path: Path, words: list[str]) -> None:
    done = portcall(*words, state_dir=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"portcall: `portcall {words[0]}` needs the extra `local`. "
        "In Portcall's repository, run: pip install --editable '.[local]'\n"
    )


@pytest.mark.parametrize("words", [["up", "--detach"], ["demo"], ["verify-aws", "--yes"]])
def test_a_command_that_needs_the_repository_says_so(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wheel has neither the template nor the functions."""
    monkeypatch.setattr(settings, "PROJECT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["portcall", *words])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code in (1, 2)
    assert "needs Portcall's repository, which has the template and the functions" in capsys.readouterr().err


def test_the_inbox_needs_no_extra(tmp_path: Path) -> None:
    done = portcall("inbox", state_dir=tmp_path)
    assert (done.returncode, done.stdout) == (0, "No email yet. Push an image, and its URL arrives here.\n")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_the_embedded_cloud_knows_nothing_of_the_command_line() -> None:
    for path in (ROOT / "localcloud").rglob("*.py"):
        assert not {name for name in imported(path) if name.partition(".")[0] in ("portcall", "deployer")}, path


def test_nobody_but_the_machine_s_corner_installs_debian_packages() -> None:
    for path in [*(ROOT / "localcloud").rglob("*.py"), *(ROOT / "portcall").rglob("*.py")]:
        if path.parent.name != "machine":
            assert "localcloud.machine.debian" not in imported(path), path


def test_pyopenssl_is_not_imported_to_ask_aws(tmp_path):
    """botocore would, and for nothing; it is there with the extra `local`."""
    code = (
        "import sys\nfrom portcall.cli import main\nsys.argv = ['portcall', 'status', '--local']\n"
        "try: main.main()\nfinally: print(*sys.modules)"
    )
    environment = {"PORTCALL_STATE_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    loaded = ended.stdout.split()
    assert "botocore.httpsession" in loaded, ended.stderr
    assert "OpenSSL" not in loaded
