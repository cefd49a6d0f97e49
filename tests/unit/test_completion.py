"""Help and completion: fast, complete, and without the network."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from portcall.cli import main
from portcall.core import cache

# What takes its time to import, and what asks AWS.
HEAVY = ("boto3", "botocore", "rich", "deployer", "portcall.core")


def run(*words, asked=({},), **environment):
    """Run the command in a process of its own, once with each of the `asked` environments."""
    code = f"""
import os, sys
from portcall.cli.main import main
sys.argv = ["portcall", *{list(words)!r}]
try:
    *first, last = {list(asked)!r}
    for each in first:
        os.environ.update(each)
        try:
            main()
        except SystemExit as ended:
            assert not ended.code, each
        print("--")
    os.environ.update(last)
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""
    keep = {"PATH": os.environ["PATH"], "COLUMNS": "80", **environment}
    return subprocess.run([sys.executable, "-c", code], env=keep, capture_output=True, text=True, timeout=60)


def heavy(result):
    return sorted(each for each in result.stderr.split() if each in HEAVY)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["nope"]])
def test_help_imports_no_command(words):
    assert heavy(run(*words)) == []


def test_the_help_fits_80_columns_and_says_something_of_each():
    lines = (
        CliRunner()
        .invoke(main.cli, ["--help"], terminal_width=80)
        .output.partition("Commands:\n")[2]
        .splitlines()
    )
    assert [line.split()[0] for line in lines] == list(main.COMMANDS)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell):
    result = run("completion", shell)
    assert result.returncode == 0, result.stderr
    assert "_PORTCALL_COMPLETE" in result.stdout
    assert heavy(result) == []


def test_another_shell_is_a_usage_error():
    assert CliRunner().invoke(main.cli, ["completion", "tcsh"]).exit_code == 2


def completed(folder, *several):
    """What each of these words is completed to, as bash asks."""
    asked = [{"COMP_WORDS": f"portcall {words}", "COMP_CWORD": str(len(words.split(" ")))} for words in several]
    result = run(asked=asked, XDG_CACHE_HOME=str(folder), _PORTCALL_COMPLETE="bash_complete")
    answers = [answer.split() for answer in result.stdout.split("--\n")]
    return [[line.partition(",")[2] for line in answer] for answer in answers], result


def test_commands_complete_without_an_import(tmp_path):
    (found,), result = completed(tmp_path, "st")
    assert "status" in found
    assert heavy(result) == []


def test_apps_complete_from_what_was_listed_last(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    old, new = (cache.folder() / f"{name}{cache.APPS}" for name in ("old", "new"))
    cache.write(old, ["old-app"])
    cache.write(new, ["flask-app", "flask-app:pr-7", "blog"])
    os.utime(old, (1, 1))
    commands = ("status", "history", "show", "logs", "open", "deploy", "rollback", "stop", "secrets list")
    *found, none = completed(tmp_path, *(f"{command} fl" for command in commands), "show x")[0]
    expected = {command: ["flask-app", "flask-app:pr-7"] for command in commands}
    assert dict(zip(commands, found, strict=True)) == expected
    assert none == []


@pytest.mark.parametrize("text", ["", "{", "3", '{"a": 1}', "[1, null]"])
def test_a_broken_cache_completes_nothing(tmp_path, monkeypatch, text):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache.folder().mkdir()
    (cache.folder() / f"x{cache.APPS}").write_text(text)
    assert cache.known_apps() == []
