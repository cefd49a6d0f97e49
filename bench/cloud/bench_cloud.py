"""BenchCloud: an embedded cloud for one bench alone, with the bench's app pushed once."""

import contextlib
import hashlib
import http.client
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from localcloud import cloud, stack
from localcloud.machine.base_image import build_arguments, ensure_base_image
from localcloud.machine.docker_engine import ensure_engine, stop_engine
from localcloud.settings import CloudSettings
from portcall.cli.demo import base_of

APP = Path(__file__).parent / "app"
MAIL_SECONDS = 60
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class BenchCloud:
    """Use it in a `with`: it exists for the duration of the block.

    `parameters` are the template's. Under another RepositoryName the push of flask-app starts nothing.
    `through` is what runs the cloud's server, to watch its requests.
    """

    def __init__(self, parameters: Mapping[str, str] | None = None, *, through: tuple[str, ...] = ()) -> None:
        self._parameters, self._through = parameters, through
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> "BenchCloud":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.settings = CloudSettings(port=port, state_dir=Path(tempfile.mkdtemp(prefix="portcall-bench-")))
        ensure_engine(self.settings.state_dir, _say)
        cloud.start(self.settings, _say, through=self._through)
        stack.install(self.settings, _say, self._parameters)
        self.outputs = stack.outputs(self.settings)
        ecr = self.client("ecr")
        with contextlib.suppress(ecr.exceptions.RepositoryAlreadyExistsException):
            ecr.create_repository(repositoryName="flask-app")
        ensure_base_image(base_of(APP / "Dockerfile"), self.settings.state_dir, _say)
        image = f"{self.settings.registry}/flask-app:latest"
        build = ["build", *build_arguments(self.settings.state_dir), "--quiet", "--tag", image, str(APP)]
        for command in (build, ["push", "--quiet", image]):
            subprocess.run(["docker", *command], check=True, stdout=subprocess.DEVNULL)
        _, self.manifest = self._manifest("flask-app", "GET")
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        cloud.stop(self.settings)
        self._forget_images()
        stop_engine(self.settings.state_dir, _say)
        shutil.rmtree(self.settings.state_dir, ignore_errors=True)

    def _forget_images(self) -> None:
        """Remove the images that tasks have pulled, which the Docker engine keeps."""
        listed = subprocess.run(
            ["docker", "images", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}"],
            capture_output=True,
            text=True,
        )
        lines = [line.split() for line in listed.stdout.splitlines()]
        # By name and not by id, which another cloud's image may share.
        names = [
            f"{name}@{digest}" if tag == "<none>" else f"{name}:{tag}"
            for name, tag, digest in lines
            if name.startswith(f"{self.settings.registry}/")
        ]
        if names:
            subprocess.run(["docker", "rmi", *names], capture_output=True)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = stack.client(self.settings, service)
        return self._clients[service]

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"

    def push_again(self, repository: str = "flask-app") -> None:
        """Push another manifest of the image, like the last call of a client whose layers exist already.

        ECR sends no event for the same manifest.
        """
        self.manifest += b" "
        status, _ = self._manifest(repository, "PUT", self.manifest)
        assert status == 201, status

    def _manifest(self, repository: str, method: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.port)
        with contextlib.closing(connection):
            kind = json.loads(body)["mediaType"] if body else MANIFEST
            connection.request(method, f"/v2/{repository}/manifests/latest", body, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _listen(self) -> None:
        """A queue for all events of ECS, which have milliseconds, unlike DescribeTasks."""
        self._queue = self.client("sqs").create_queue(QueueName="bench")["QueueUrl"]
        pattern = json.dumps({"source": ["aws.ecs"]})
        self.client("events").put_rule(Name="bench", EventPattern=pattern)
        arn = f"arn:aws:sqs:{self.settings.region}:{self.settings.account}:bench"
        self.client("events").put_targets(Rule="bench", Targets=[{"Id": "queue", "Arn": arn}])

    def task_events(self) -> Iterator[dict[str, Any]]:
        """The events of ECS since the last call."""
        sqs = self.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
                yield json.loads(message["Body"])

    def mails(self) -> set[Path]:
        """The files of all mails so far."""
        inbox = self.settings.inbox / "new"
        return set(inbox.iterdir()) if inbox.exists() else set()

    def mail_after(self, before: set[Path]) -> Path:
        """Wait for a mail that is not among those before. Raises TimeoutError."""
        deadline = time.monotonic() + MAIL_SECONDS
        while time.monotonic() < deadline:
            if new := self.mails() - before:
                return new.pop()
            time.sleep(0.005)
        raise TimeoutError("No mail within a minute.")

    def kill_lambdas(self) -> None:
        """End all idle processes of functions."""
        home = str(self.settings.state_dir / "lambda-python")
        server = psutil.Process(int((self.settings.state_dir / "cloud.pid").read_text()))
        workers = []
        for child in server.children(recursive=True):
            # One that has ended by itself meanwhile has no command line any more.
            with contextlib.suppress(psutil.Error):
                if home in " ".join(child.cmdline()):
                    workers.append(child)
        for worker in workers:
            worker.kill()
        psutil.wait_procs(workers, timeout=5)

    def forget_bytecode(self) -> None:
        """From now on, a function compiles its sources whenever it is loaded: on AWS, it cannot keep bytecode.

        Until then, as on any laptop, Python keeps it beside the sources.
        """
        functions = self.client("lambda")
        for page in functions.get_paginator("list_functions").paginate():
            for each in page["Functions"]:
                variables = each.get("Environment", {}).get("Variables", {})
                functions.update_function_configuration(
                    FunctionName=each["FunctionName"],
                    Environment={"Variables": variables | {"PYTHONDONTWRITEBYTECODE": "1"}},
                )
        self.kill_lambdas()
        for compiled in (self.settings.state_dir / "lambda").rglob("*.pyc"):
            compiled.unlink()


def _say(phase: str) -> None:
    print(phase, file=sys.stderr, flush=True)
