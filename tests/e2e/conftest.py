"""One cloud for all tests here, started, used and stopped with the `portcall` command."""

import dataclasses
import os
import shlex
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from localcloud import refusals
from localcloud.apps import running
from localcloud.inbox import Received, read
from localcloud.machine.base_image import build_arguments, ensure_base_image
from localcloud.settings import CloudSettings
from portcall.cli.demo import base_of
from portcall.installer.packaged import Packaged
from tests import installing
from tests.conftest import StateFolder, one_at_a_time
from tests.deployments import WITHIN, Deployments
from tests.local.conftest import Cloud, eventually, forget_images, free_port

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parent / "fixtures"
COMMANDS = Path(sys.executable).parent
# The tests' parameters: each app has its own repository, and the health check's time-out is short.
# An update keeps parameters that are not named, so those that a test changes are here, too.
HEALTH_TIMEOUT = 12
STACK = {
    "ContainerPort": "3000",
    "Email": "you@example.com",
    "HealthTimeout": str(HEALTH_TIMEOUT),
    "RepositoryPattern": "*-app",
    "StableUrl": "off",
}
# `portcall up` without the stack, in a process that does not outlive it.
STARTS = """
import sys
from pathlib import Path
from localcloud import cloud
from localcloud.settings import CloudSettings
settings = CloudSettings(port=int(sys.argv[1]), state_dir=Path(sys.argv[2]))
cloud.start(settings, print, through=("tests.forked_functions",))
"""
# The apps are on this machine, so no proxy is used.
_straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Portcall:
    """The command line, with its own folder and port, and helpers for tests."""

    state_dir: Path
    port: int = field(default_factory=free_port)
    # As in PORTCALL_SWITCHES.
    switches: str = ""
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def registry(self) -> str:
        return f"localhost:{self.port}"

    # The command line

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `portcall ...` from a folder outside the project."""
        self.state_dir.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "PORTCALL_STATE_DIR": str(self.state_dir),
            "PORTCALL_SWITCHES": self.switches,
        }
        command = [str(COMMANDS / "portcall"), *arguments]
        return subprocess.run(
            command, env=environment, cwd=self.state_dir, capture_output=True, text=True, timeout=300
        )

    def says(self, *arguments: str) -> str:
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def up(self) -> str:
        # Another cloud has another key.
        for cached in ("_exported", "deployments"):
            self.__dict__.pop(cached, None)
        self._clients.clear()
        return self.says("up", "--detach", "--port", str(self.port))

    def start(self, release: Packaged, **parameters: str) -> None:
        """Start a cloud as `up` does, but with functions that load faster, and with the stack that the whole test run
        shares and these parameters.
        """
        subprocess.run(
            [sys.executable, "-c", STARTS, str(self.port), str(self.state_dir)],
            env={**os.environ, "PORTCALL_SWITCHES": self.switches},
            check=True,
        )
        installing.create(self.client, release, STACK | parameters)

    def update(self, **parameters: str) -> None:
        """Change parameters of the template; those of the tests that are not named are as at the start."""
        installing.update(self.client, STACK | parameters)

    def environment(self) -> dict[str, str]:
        """What `portcall env` exports."""
        words = [shlex.split(line) for line in self.says("env").splitlines() if line.startswith("export ")]
        pairs = [word.partition("=") for _, word in words]
        return {name: value for name, _, value in pairs}

    def leftovers(self) -> list[str]:
        """The cloud's processes and containers, in any state."""
        names = ["--filter", f"label=ministack.instance={os.uname().nodename}:{self.port}"]
        found = docker("ps", "--all", "--format={{.Names}} {{.Status}}", *names).splitlines()
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if process.pid != os.getpid() and any(str(self.state_dir) in word for word in words):
                found.append(shlex.join(words))
        return found

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    # Images

    @cached_property
    def _exported(self) -> dict[str, str]:
        return self.environment()

    def sweep(self) -> None:
        """Run the sweep now."""
        awslambda = self.client("lambda")
        names = [each["FunctionName"] for each in awslambda.list_functions()["Functions"]]
        (name,) = [each for each in names if "-ReconcileFunction-" in each]
        awslambda.invoke(FunctionName=name, Payload=b"{}")

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self._exported["AWS_ENDPOINT_URL"],
                region_name=self._exported["AWS_REGION"],
                aws_access_key_id=self._exported["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self._exported["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]

    def image(self, app: str, tag: str = "latest") -> str:
        return f"{self.registry}/{app}:{tag}"

    def repository(self, app: str) -> None:
        ecr = self.client("ecr")
        known = [each["repositoryName"] for each in ecr.describe_repositories()["repositories"]]
        if app not in known:
            ecr.create_repository(repositoryName=app)

    def push(self, folder: Path, app: str, **arguments: str) -> str:
        """Build the image in a folder, push it with docker, and return the registry's digest of it."""
        self.repository(app)
        given = [word for pair in arguments.items() for word in ("--build-arg", "=".join(pair))]
        image = self.image(app)
        docker("build", *build_arguments(self.state_dir), "--quiet", "--tag", image, *given, str(folder))
        docker("push", "--quiet", image)
        return self.pushed(app)["imageDigest"]

    @property
    def by_hand(self) -> Cloud:
        """The same cloud, for images that are pushed with plain HTTP."""
        return Cloud(None, self.port, self.state_dir)

    def pushed(self, app: str) -> dict[str, Any]:
        """The registry's digest of the tag `latest`."""
        found = self.client("ecr").describe_images(repositoryName=app, imageIds=[{"imageTag": "latest"}])
        return dict(found["imageDetails"][0])

    # The outcomes

    def mails(self, app: str, digest: str = "") -> list[Received]:
        mails = read(self.state_dir / "inbox")
        return [mail for mail in mails if mail.attributes.get("app") == app and digest in mail.text]

    def mail(self, app: str, digest: str = "") -> Received:
        """Wait for the mail of a push and the end of its execution."""
        eventually(lambda: self.mails(app, digest), within=WITHIN, every=0.1)
        self.execution(app, digest)
        (mail,) = self.mails(app, digest)
        return mail

    @cached_property
    def deployments(self) -> Deployments:
        workflow = self.client("stepfunctions")
        (machine,) = workflow.list_state_machines()["stateMachines"]
        return Deployments(workflow, machine["stateMachineArn"])

    def execution(self, app: str, digest: str = "") -> dict[str, Any]:
        """The only execution of a push, once it has ended."""
        (execution,) = self.deployments.ended(app, digest)
        return execution

    def apps(self, app: str) -> list[dict[str, Any]]:
        """The running tasks of an app, from ECS."""
        settings = CloudSettings(port=self.port, state_dir=self.state_dir)
        return [dataclasses.asdict(each) for each in running(settings) if each.app == app]

    def containers(self, app: str) -> list[str]:
        """The ids of an app's containers, running or not yet taken away."""
        family = f"label=com.amazonaws.ecs.task-definition-family=portcall_{app}"
        instance = f"label=ministack.instance={os.uname().nodename}:{self.port}"
        return docker("ps", "--all", "--quiet", "--filter", family, "--filter", instance).split()


def docker(*arguments: str) -> str:
    ended = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, f"docker {shlex.join(arguments)}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def get(url: str) -> str:
    with _straight.open(url, timeout=10) as answer:
        return str(answer.read().decode())


@pytest.fixture(scope="session")
def base_image(engine: None, shared_folder: Path) -> None:
    """The base image of the fixtures' Dockerfiles."""
    folder = shared_folder / "base"
    with one_at_a_time(shared_folder, "base"):
        folder.mkdir(exist_ok=True)
        ensure_base_image(base_of(FIXTURES / "plain-http" / "Dockerfile"), folder, print)


@pytest.fixture(scope="session")
def portcall(base_image: None, release: Packaged, state_folder: StateFolder) -> Iterator[Portcall]:
    """The cloud that all tests share, with a stack with short time-outs."""
    shared = Portcall(state_folder("portcall"))
    try:
        shared.start(release)
        yield shared
    finally:
        stopped = shared.run("down")
        forget_images(shared.port)
    assert stopped.returncode == 0, stopped.stderr
    # A step may retry or ignore what AWS would refuse; here, no such request may be sent.
    assert refusals.noted(shared.state_dir) == []
    assert shared.leftovers() == []
    assert not shared.listens()
