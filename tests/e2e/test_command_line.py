"""The commands of the embedded cloud: repeated, misused, and without a cloud."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from localcloud import refusals
from tests.conftest import StateFolder
from tests.e2e.conftest import COMMANDS, FIXTURES, Portcall, get
from tests.local.conftest import eventually, forget_images

pytestmark = pytest.mark.long(75)

# As the first process of a container, it does not heed SIGTERM.
STUBBORN = ["httpd", "-f", "-p", "3000"]


def sentence(ended: subprocess.CompletedProcess[str]) -> str:
    """What a command that could not do its work printed; never a traceback."""
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert ended.stderr.startswith("portcall: ")
    return ended.stderr.removeprefix("portcall: ").strip()


@pytest.fixture
def nowhere(tmp_path: Path, base_image: None) -> Portcall:
    """The command line where nothing was ever started."""
    return Portcall(tmp_path / "state")


@pytest.fixture
def another(state_folder: StateFolder, base_image: None) -> Iterator[Portcall]:
    """A cloud beside the one that the other tests share."""
    cloud = Portcall(state_folder("another"))
    try:
        cloud.up()
        yield cloud
    finally:
        cloud.run("down")
        forget_images(cloud.port)
    assert refusals.noted(cloud.state_dir) == []


# `up` builds and deploys, because the checkout may have changed; all else is there already.
UP_AGAIN = [
    "Looking for a Docker engine",
    "Building the functions (sam build)",
    "Installing the stack (sam deploy)",
]


def test_up_again_makes_nothing_again_and_leaves_the_apps_alone(portcall: Portcall) -> None:
    digest = portcall.push(FIXTURES / "plain-http", "shown-app", VERSION="patient")
    url = portcall.mail("shown-app", digest).text.splitlines()[0]
    eventually(lambda: len(portcall.containers("shown-app")) == 1, every=0.2)
    before = portcall.containers("shown-app"), portcall.apps("shown-app")
    process = (portcall.state_dir / "cloud.pid").read_text()
    said = portcall.says("up", "--detach")
    assert re.findall(r"^  (.+) … ✓ [0-9.]+ s$", said, re.MULTILINE) == UP_AGAIN
    assert (portcall.state_dir / "cloud.pid").read_text() == process
    assert f"docker push {portcall.registry}/flask-app:latest" in said
    assert (portcall.containers("shown-app"), portcall.apps("shown-app")) == before
    assert get(url) == "plain-http patient"


def test_up_with_another_port_says_that_a_cloud_runs_already(portcall: Portcall) -> None:
    said = sentence(portcall.run("up", "--detach", "--port", str(portcall.port + 1)))
    assert said.startswith(f"An embedded cloud already runs at http://127.0.0.1:{portcall.port}")
    assert said.endswith("Stop it first: portcall down")


def test_a_port_that_another_program_has_is_reported_in_a_sentence(nowhere: Portcall) -> None:
    with socket.create_server(("127.0.0.1", nowhere.port)):
        said = sentence(nowhere.run("up", "--detach", "--port", str(nowhere.port)))
    assert said == (
        f"Port {nowhere.port} is in use by another program. Stop it, or choose another port: "
        f"portcall up --port {nowhere.port + 1}"
    )
    assert nowhere.leftovers() == []


def test_an_account_that_is_none_is_refused(nowhere: Portcall) -> None:
    ended = nowhere.run("up", "--detach", "--account", "12345")
    assert ended.returncode == 2
    assert "an AWS account id has 12 digits" in ended.stderr


def test_env_points_a_shell_at_the_cloud_whatever_it_pointed_at(portcall: Portcall) -> None:
    look = "import boto3; print(boto3.client('ecr').describe_repositories()['repositories'][0]['registryId'])"
    script = f"""eval "$({COMMANDS / "portcall"} env)" && {sys.executable} -c "{look}" """
    own = {"AWS_PROFILE": "mine", "AWS_SESSION_TOKEN": "mine", "AWS_REGION": "eu-west-3"}
    environment = {**os.environ, **own, "PORTCALL_STATE_DIR": str(portcall.state_dir)}
    ended = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)
    assert ended.stdout == "123456789012\n", ended.stderr


def test_without_a_cloud_each_command_says_so(nowhere: Portcall) -> None:
    began = time.monotonic()
    assert sentence(nowhere.run("env")) == "The embedded cloud is not running. Start it: portcall up"
    asks_nobody = time.monotonic() - began
    assert sentence(nowhere.run("status")) == "The embedded cloud is not running. Start it: portcall up"
    # boto3 alone would try for ten seconds.
    assert time.monotonic() - began < 2 * asks_nobody + 9
    assert nowhere.says("inbox").strip() == "No email yet. Push an image, and its URL arrives here."
    assert json.loads(nowhere.says("inbox", "--json")) == []
    for _ in range(2):
        assert "It was not running." in nowhere.says("down")


def test_a_viewer_may_look_a_pusher_may_wait_and_an_operator_may_deploy(
    portcall: Portcall, tmp_path: Path
) -> None:
    keeper = as_role(portcall, "SecretsPolicy", tmp_path)
    # What `doctor` looks for, of an app that asks for it.
    assert keeper("secrets", "set", "shown-app", "WORD", typed="of the day").returncode == 0
    digest = portcall.push(FIXTURES / "plain-http", "shown-app", VERSION="looked at")
    url = portcall.mail("shown-app", digest).text.splitlines()[0]
    viewer, operator = (as_role(portcall, each, tmp_path) for each in ("ViewerPolicy", "OperatorPolicy"))

    for words in (["status"], ["status", "shown-app"], ["show", "shown-app"], ["wait", "shown-app:latest"]):
        ended = viewer(*words)
        assert (ended.returncode, url in ended.stdout) == (0, True), ended.stderr
        assert ended.stderr.startswith("portcall in us-east-1, account 123456789012\n")
    history = json.loads(viewer("history", "shown-app", "--json").stdout)["deployments"]
    found = json.loads(viewer("show", history[0]["deployment"][:12], "--json").stdout)
    assert found["deployment"]["digest"] == digest
    assert viewer("logs", "shown-app").returncode == 0
    looks_around(viewer, operator)
    sets_secrets(keeper, portcall)
    assert keeper("secrets", "unset", "shown-app", "WORD").returncode == 0
    assert not_allowed(operator("logs", "shown-app"))
    assert viewer("wait", f"shown-app@{digest}").stdout == f"{url}\n"
    assert not_allowed(viewer("deploy", "shown-app:latest"))
    pusher = as_role(portcall, "PusherPolicy", tmp_path)
    assert pusher("wait", f"shown-app:latest@{digest}").stdout == f"{url}\n"
    assert not_allowed(pusher("status"))
    plans(viewer, pusher, digest)
    assert not_allowed(operator("status"))
    assert not_allowed(operator("wait", f"shown-app@{digest}"))

    ended = operator("deploy", "shown-app:latest")
    assert (ended.returncode, get(ended.stdout.strip())) == (0, "plain-http looked at"), ended.stderr
    eventually(lambda: len(portcall.mails("shown-app", digest)) == 2, within=90, every=0.5)
    portcall.deployments.ended("shown-app", digest)


def sets_secrets(keeper: Callable[..., subprocess.CompletedProcess[str]], portcall: Portcall) -> None:
    """The permission to set secrets includes neither reading them nor seeing the apps."""
    assert keeper("secrets", "set", "shown-app", "GREETING", typed="hello").returncode == 0
    assert "GREETING" in keeper("secrets", "list", "shown-app").stdout
    parameter = portcall.client("ssm").get_parameter(Name="/portcall/shown-app/GREETING", WithDecryption=True)
    assert (parameter["Parameter"]["Value"], parameter["Parameter"]["Type"]) == ("hello", "SecureString")
    assert keeper("secrets", "unset", "shown-app", "GREETING").returncode == 0
    assert keeper("secrets", "unset", "shown-app", "GREETING").returncode == 5
    assert not_allowed(keeper("secrets", "set", "others", "GREETING", typed="hello"))
    assert not_allowed(keeper("status"))


def looks_around(viewer: Callable[..., subprocess.CompletedProcess[str]], other: Callable[..., subprocess.CompletedProcess[str]]) -> None:  # fmt: skip
    """`portcall doctor` says what its caller may see, and names the permission for what it may not."""
    checked = {
        each["check"]: each for each in json.loads(viewer("doctor", "shown-app", "--json").stdout)["checks"]
    }
    assert "WORD" in str(checked["secrets"])
    results = {name: each["result"] for name, each in checked.items()}
    # These are about this machine's Docker.
    assert {name for name, result in results.items() if result != "ok"} <= {"Docker", "login"}
    assert set(results) >= {"credentials", "ECS role", "stack", "mails", "dead-letter queues", "sweep", "events", "repositories", "state", "image", "secrets", "reachable"}  # fmt: skip
    assert viewer("doctor", "shown-app").returncode == 0
    assert viewer("doctor", "nope").returncode == 5

    refused = json.loads(other("doctor", "--json").stdout)["checks"]
    lacking = {each["check"]: each["do"] for each in refused if each["result"] == "unknown"}
    assert "sns:ListSubscriptionsByTopic" in lacking["mails"]
    assert "iam:GetRole" in lacking["ECS role"]


def plans(viewer: Callable[..., subprocess.CompletedProcess[str]], pusher: Callable[..., subprocess.CompletedProcess[str]], digest: str) -> None:  # fmt: skip
    """`portcall plan` reads what this machine has for a viewer, and for a pusher what ECR has, too."""
    here = json.loads(viewer("plan", "shown-app", "--json").stdout)
    there = json.loads(pusher("plan", f"shown-app:latest@{digest}", "--json").stdout)
    assert (here["found"], here["slot"], here["app"]) == ("this machine", "free", "shown-app")
    # A pusher may not see which other apps there are.
    assert (there["found"], there["slot"]) == ("ECR", "unknown")
    same = ("would", "ports", "cpu", "memory", "architecture", "health", "timeout", "usd_a_month", "replaces")
    assert {name: here[name] for name in same} == {name: there[name] for name in same}
    assert not_allowed(viewer("plan", f"shown-app:latest@{digest}", "--json"))
    judged = json.loads(viewer("doctor", "shown-app:latest", "--json").stdout)["checks"]
    assert [each["check"] for each in judged if each["group"] == "image"] == ["push", "port", "slot"]


def not_allowed(ended: subprocess.CompletedProcess[str]) -> bool:
    """Whether a command said in a sentence that its caller may not."""
    assert (ended.returncode, ended.stdout) == (6, ""), ended.stderr
    assert "Traceback" not in ended.stderr
    return "-tests/tests has no permission for " in ended.stderr


def as_role(portcall: Portcall, policy: str, folder: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line of somebody who has one managed policy of the stack, and nothing else."""
    (stack,) = portcall.client("cloudformation").describe_stacks(StackName="portcall")["Stacks"]
    arn = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}[f"{policy}Arn"]
    account = {"AWS": "arn:aws:iam::123456789012:root"}
    trust = {"Effect": "Allow", "Principal": account, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam, name = portcall.client("iam"), f"portcall-{policy}Role-tests"
    # Another test of this cloud may have been here.
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    role = iam.get_role(RoleName=name)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    keys = portcall.client("sts").assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
    environment = {
        "PATH": os.environ["PATH"],
        "XDG_CACHE_HOME": str(folder),
        "AWS_ENDPOINT_URL": portcall.environment()["AWS_ENDPOINT_URL"],
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
        # Named, so that no embedded cloud of this folder comes in its place.
        "PORTCALL_STACK": "portcall",
    }

    def run(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(COMMANDS / "portcall"), *words]
        return subprocess.run(
            command, env=environment, cwd=folder, input=typed, capture_output=True, text=True, timeout=120
        )

    return run


def test_a_cloud_that_was_killed_is_replaced_by_up_and_down_leaves_nothing_of_it_but_the_mails(
    portcall: Portcall, another: Portcall
) -> None:
    neighbour = portcall.push(FIXTURES / "plain-http", "shown-app", VERSION="neighbour")
    beside = portcall.mail("shown-app", neighbour).text.splitlines()[0]
    another.mail("flask-app", another.by_hand.push("flask-app", STUBBORN, tag="latest"))
    kill(another)
    assert sentence(another.run("status")) == "The embedded cloud is not running. Start it: portcall up"

    another.up()
    assert another.containers("flask-app") == []
    assert another.apps("flask-app") == []
    mail = another.mail("flask-app", another.by_hand.push("flask-app", [*STUBBORN, "-v"], tag="latest"))
    assert mail.attributes["outcome"] == "deployed"

    began = time.monotonic()
    another.says("down")
    # As long as AWS would wait for an app that ignores SIGTERM.
    assert time.monotonic() - began < 30
    assert another.leftovers() == []
    assert not another.listens()
    assert mail.id in [each["id"] for each in json.loads(another.says("inbox", "--json"))]
    assert "It was not running." in another.says("down")
    assert get(beside) == "plain-http neighbour"


def kill(cloud: Portcall) -> None:
    """The cloud's own process, and at once."""
    process = psutil.Process(int((cloud.state_dir / "cloud.pid").read_text()))
    process.send_signal(signal.SIGKILL)
    psutil.wait_procs([process], timeout=60)
