"""The shell parts of docs/ci.md and of the action, with CI's files and only the pusher policy."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from portcall.installer.packaged import Packaged
from tests.conftest import StateFolder
from tests.e2e.conftest import COMMANDS, FIXTURES, Portcall, get
from tests.local.callers import Caller, holder
from tests.local.conftest import Cloud, eventually, forget_images

pytestmark = pytest.mark.long(50)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ci.md").read_text()
ACTION = yaml.safe_load((ROOT / "action" / "action.yml").read_text())
PREVIEWS = {"Environments": "tag", "TagPattern": "latest,pr-*,mr-*"}
FILES = {
    name: yaml.safe_load(text)
    for name, text in re.findall(r"<!-- (\S+) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)
}
# What the AWS CLI does for these two commands; the tests do not install it.
AWS = f"""#!{sys.executable}
import base64, os, sys
import botocore.session
ecr = botocore.session.Session().create_client("ecr", region_name=os.environ["AWS_REGION"])
match sys.argv[1:]:
    case ["ecr", "get-login-password"]:
        (found,) = ecr.get_authorization_token()["authorizationData"]
        print(base64.b64decode(found["authorizationToken"]).decode().partition(":")[2])
    case ["ecr", "batch-delete-image", "--repository-name", name, "--image-ids", image]:
        kind, _, value = image.partition("=")
        print(ecr.batch_delete_image(repositoryName=name, imageIds=[{{kind: value}}]))
    case other:
        sys.exit(f"aws: {{other}}")
"""
UVX = f"""#!/bin/bash
[ "$1 $2 $3 $4" = "--quiet --from $PORTCALL portcall" ] || {{ echo "uvx: $*" >&2; exit 9; }}
shift 4
exec {COMMANDS / "portcall"} "$@"
"""


@pytest.fixture(scope="module")
def cloud(base_image: None, release: Packaged, state_folder: StateFolder) -> Iterator[Portcall]:
    running = Portcall(state_folder("ci"))
    try:
        running.start(release, **PREVIEWS)
        yield running
    finally:
        stopped = running.run("down")
        forget_images(running.port)
    assert stopped.returncode == 0, stopped.stderr


@pytest.fixture(scope="module")
def pusher(cloud: Portcall, tmp_path_factory: pytest.TempPathFactory) -> Caller:
    account = Cloud(None, cloud.port, cloud.state_dir, region="us-east-1")  # type: ignore[arg-type]
    return holder(account, "Pusher", tmp_path_factory.mktemp("pusher"))


@dataclass
class Runner:
    """Runs steps in a folder, with what they say of themselves kept as GitHub keeps it."""

    pusher: Caller
    folder: Path
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, text in (("aws", AWS), ("uvx", UVX)):
            tool = self.folder / "bin" / name
            tool.parent.mkdir(exist_ok=True)
            tool.write_text(text)
            tool.chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        # Only what tools need to reach package registries; nothing of another job or account.
        inherited = {
            name: each
            for name, each in os.environ.items()
            if not name.startswith(("AWS_", "GITHUB_", "PORTCALL_"))
        }
        return {
            **inherited,
            **self.pusher.environment(),
            "PATH": f"{self.folder / 'bin'}:{COMMANDS}:{os.environ['PATH']}",
            "HOME": os.environ.get("HOME", str(self.folder)),
            "DOCKER_CONFIG": str(self.folder / "docker"),
            **more,
        }

    def shell(self, script: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "--noprofile", "--norc", *options, "-c", script],
            env=self.environment(**environment),
            cwd=self.folder / "checkout",
            capture_output=True,
            text=True,
            timeout=300,
        )

    def step(
        self, step: dict[str, Any], expressions: dict[str, str], **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """A step with `run`, whose outputs are then known under its id."""
        own = {name: fill(str(value), expressions) for name, value in step.get("env", {}).items()}
        output = self.folder / f"output-{len(self.outputs)}"
        output.touch()
        files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(self.folder / "summary")}
        options = ("-e", "-o", "pipefail") if step.get("shell") == "bash" else ("-e",)
        ended = self.shell(step["run"], *options, **{"GITHUB_ACTIONS": "true", **files, **environment, **own})
        self.outputs[step.get("id", str(len(self.outputs)))] = read_outputs(output.read_text())
        return ended


def fill(text: str, expressions: dict[str, str]) -> str:
    """The text with the values of GitHub's expressions; one that nobody gave a value is an error."""
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: expressions[found[1]], text)


def read_outputs(text: str) -> dict[str, str]:
    """As the runner reads them: name=value, or name<<delimiter, lines, delimiter."""
    found, lines = {}, text.splitlines()
    while lines and (line := lines.pop(0)):
        name, heredoc, delimiter = line.partition("<<")
        if not heredoc:
            name, _, found[name] = line.partition("=")[0], "", line.partition("=")[2]
            continue
        value: list[str] = []
        while (each := lines.pop(0)) != delimiter:
            value.append(each)
        found[name] = "\n".join(value)
    return found


@pytest.fixture
def runner(pusher: Caller, tmp_path: Path) -> Runner:
    return Runner(pusher, tmp_path)


def check_out(runner: Runner, fixture: str, version: str) -> None:
    """The app's folder, with another version in it, so that its image is another one."""
    folder = runner.folder / "checkout"
    folder.mkdir()
    for path in (FIXTURES / fixture).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    with (folder / "Dockerfile").open("a") as file:
        file.write(f'\nENV VERSION="{version}"\n')


def action(runner: Runner, image: str, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The step of the action, with its inputs."""
    (step,) = ACTION["runs"]["steps"]
    given = (
        {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
        | {"image": image}
        | inputs
    )
    expressions = {f"inputs.{name}": value for name, value in given.items()}
    more = {"github.action_path": str(ROOT / "action"), "runner.temp": str(runner.folder / "temp")}
    return runner.step(step, expressions | more)


def deploy_steps() -> tuple[dict[str, Any], dict[str, Any]]:
    """Two steps of the workflow: the one that pushes, and the one that waits."""
    steps = FILES[".github/workflows/deploy.yml"]["jobs"]["deploy"]["steps"]
    return next(each for each in steps if "run" in each), next(
        each for each in steps if each.get("id") == "portcall"
    )


def push(runner: Runner, cloud: Portcall, tag: str) -> str:
    """The workflow's step; the image that its next one waits for."""
    pushes, waits = deploy_steps()
    expressions = {"steps.ecr.outputs.registry": cloud.registry}
    ended = runner.step(pushes, expressions, APP="flask-app", TAG=tag)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    digest = runner.outputs["push"]["digest"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    known = {"env.APP": "flask-app", "env.TAG": tag, "steps.push.outputs.digest": digest}
    return fill(waits["with"]["image"], known)


# ── GitHub


def test_a_pull_request_has_a_preview_whose_url_is_an_output_and_which_ends_with_it(
    runner: Runner, cloud: Portcall
) -> None:
    check_out(runner, "plain-http", "pull request 7")
    image = push(runner, cloud, "pr-7")
    waited = action(runner, image)
    assert waited.returncode == 0, waited.stdout + waited.stderr
    outputs = runner.outputs["wait"]
    assert set(outputs) == set(ACTION["outputs"])
    assert (outputs["outcome"], outputs["digest"]) == ("live", image.partition("@")[2])
    assert get(outputs["url"]) == "plain-http pull request 7"
    assert "flask\\-app:pr" in (runner.folder / "summary").read_text().replace("\\:", ":")

    (end,) = FILES[".github/workflows/end-preview.yml"]["jobs"].values()
    ended = runner.step(next(each for each in end["steps"] if "run" in each), {}, APP="flask-app", TAG="pr-7")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    eventually(lambda: not cloud.containers("flask-app_pr-7"))
    # The task is stopped a moment before the ledger says that the app has ended.
    again = eventually(lambda: said if (said := runner.pusher.portcall("wait", image)).returncode else None)
    assert again.returncode == 1, again.stderr
    assert "has ended" in again.stderr


def test_a_pull_request_whose_image_does_not_start_is_red_with_the_reason(
    runner: Runner, cloud: Portcall
) -> None:
    check_out(runner, "exits-at-once", "8")
    waited = action(runner, push(runner, cloud, "pr-8"))
    assert waited.returncode == 1, waited.stdout + waited.stderr
    (annotation,) = [line for line in waited.stderr.splitlines() if line.startswith("::")]
    assert annotation.startswith("::error title=flask-app%3Apr-8 ")
    assert (runner.outputs["wait"]["outcome"], runner.outputs["wait"]["url"]) == ("failed", "")


@pytest.mark.parametrize("image", ["$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "--help", "", "a b"])
def test_an_image_that_is_none_is_refused_and_never_run(runner: Runner, image: str) -> None:
    (runner.folder / "checkout").mkdir()
    ended = action(runner, image)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert list((runner.folder / "checkout").iterdir()) == []
    assert runner.outputs["wait"] == {}


def test_a_job_that_is_stopped_while_it_waits_is_not_green_and_leaves_no_outputs(runner: Runner) -> None:
    output = runner.folder / "output"
    output.touch()
    never = f"flask-app:pr-9@sha256:{'9' * 64}"
    environment = runner.environment(GITHUB_ACTIONS="true", GITHUB_OUTPUT=str(output))
    command = [str(COMMANDS / "portcall"), "wait", never]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr
        for line in waiting.stderr:
            if line.startswith("Waiting for "):
                break
        waiting.send_signal(signal.SIGTERM)
        code = waiting.wait(timeout=30)
    assert code not in (0, 3)
    assert output.read_text() == ""


# ── GitLab


def test_a_merge_request_of_gitlab_has_a_preview_and_ends_it(runner: Runner, cloud: Portcall) -> None:
    check_out(runner, "plain-http", "merge request 7")
    known = {
        "APP": "flask-app",
        "TAG": "mr-7",
        "REGISTRY": cloud.registry,
        "PORTCALL": "git+https://example.com/p",
    }
    pipeline = FILES[".gitlab-ci.yml"]
    # As GitLab's shell runs them: one after the other, until one fails.
    deployed = runner.shell("\n".join(pipeline["deploy"]["script"]), "-e", "-o", "pipefail", **known)
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    name, _, url = (runner.folder / "checkout" / "deploy.env").read_text().strip().partition("=")
    assert (name, get(url)) == ("URL", "plain-http merge request 7")
    ended = runner.shell("\n".join(pipeline["end"]["script"]), "-e", "-o", "pipefail", **known)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    eventually(lambda: not cloud.containers("flask-app_mr-7"))


def test_a_merge_request_whose_image_does_not_start_is_red(runner: Runner, cloud: Portcall) -> None:
    check_out(runner, "exits-at-once", "8")
    known = {
        "APP": "flask-app",
        "TAG": "mr-8",
        "REGISTRY": cloud.registry,
        "PORTCALL": "git+https://example.com/p",
    }
    deployed = runner.shell(
        "\n".join(FILES[".gitlab-ci.yml"]["deploy"]["script"]), "-e", "-o", "pipefail", **known
    )
    assert deployed.returncode == 1, deployed.stdout + deployed.stderr
    assert not (runner.folder / "checkout" / "deploy.env").exists()


# ── What they say


def test_the_action_hands_out_what_wait_writes_and_runs_the_uv_of_the_lock_file() -> None:
    (step,) = ACTION["runs"]["steps"]
    # An input in a script would be run.
    assert "${{" not in step["run"]
    for name, output in ACTION["outputs"].items():
        assert output["value"] == f"${{{{ steps.wait.outputs.{name} }}}}"
    (uv,) = re.findall(r'^name = "uv"\nversion = "(.*)"', (ROOT / "uv.lock").read_text(), re.MULTILINE)
    assert f'"uv=={uv}"' in step["run"]


@pytest.mark.parametrize("name", FILES)
def test_no_expression_stands_in_a_script(name: str) -> None:
    """What others chose, a branch's name say, would be run."""
    assert FILES[name]
    scripts = re.findall(r'"(?:run|script)": (".*?[^\\]"|\[.*?\])', json.dumps(FILES[name]))
    assert scripts
    assert not [each for each in scripts if "${{" in each]
