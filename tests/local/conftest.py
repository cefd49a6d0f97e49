"""One embedded cloud for all tests here, in a process of its own on a free port."""

import contextlib
import gzip
import hashlib
import http.client
import io
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest

from localcloud import refusals, root_key
from localcloud.cloud import STOP_TIMEOUT
from localcloud.settings import PROJECT

T = TypeVar("T")

ACCOUNT = "123456789012"
REGION = "eu-west-1"
HOST_ARCHITECTURE = "arm64" if platform.machine() in ("arm64", "aarch64") else "amd64"
OTHER_ARCHITECTURE = "amd64" if HOST_ARCHITECTURE == "arm64" else "arm64"
CPU = {"amd64": "X86_64", "arm64": "ARM64"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def eventually(look: Callable[[], T | None], *, within: float = 120.0, every: float = 0.05) -> T:
    """Call until the result is true, and return it.

    The longer it takes, the longer are the pauses, but for a tenth of that time: each look is work for the cloud.
    """
    began = time.monotonic()
    while True:
        found = look()
        waited = time.monotonic() - began
        if found or waited > within:
            assert found, f"not within {within} seconds"
            return found
        time.sleep(max(every, min(waited / 10, 0.25)))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# boto3's session, which all clouds share, because it reads the models of AWS's APIs, makes one client at a time.
_making = threading.Lock()


@dataclass
class Cloud:
    """A running embedded cloud."""

    process: subprocess.Popen[bytes]
    port: int
    state_dir: Path
    account: str = ACCOUNT
    region: str = REGION
    _clients: dict[tuple[str, str, str], Any] = field(default_factory=dict)
    _expected: list[Any] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, key_id: str = ACCOUNT, secret: str = "") -> Any:
        """A client of the root user, whose key id is the account, or of another key."""
        known = (service, key_id, secret)
        if known not in self._clients:
            with _making:
                self._clients[known] = boto3.client(  # type: ignore[call-overload]
                    service,
                    aws_access_key_id=key_id,
                    aws_secret_access_key=secret or root_key.read(self.state_dir),
                    region_name=self.region,
                    endpoint_url=self.endpoint,
                )
        return self._clients[known]

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def stop(self) -> int:
        """Stop the cloud. Fails if it refused something that no test expected."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=STOP_TIMEOUT)
        finally:
            # Does nothing if it has ended. Otherwise the test has failed, and leaves no cloud running.
            self.process.kill()
            self.process.wait()
        assert refusals.unexpected(self.state_dir, self._expected) == []
        return status

    @contextlib.contextmanager
    def refuses(self, words: str) -> Iterator[None]:
        """In this block, the cloud must refuse something with these words, as AWS would."""
        before = refusals.noted(self.state_dir)
        yield
        new = [each for each in refusals.noted(self.state_dir)[len(before) :] if words in str(each)]
        assert new, f"nothing was refused for {words!r}"
        self._expected += new

    # Images

    def repository(self) -> str:
        name = f"app-{uuid.uuid4().hex[:8]}"
        self.client("ecr").create_repository(repositoryName=name)
        return name

    def image(self, repository: str, at: str = "") -> str:
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com/{repository}{at}"

    def push(
        self,
        repository: str,
        command: list[str],
        *,
        tag: str = "",
        os: str = "linux",
        architecture: str = HOST_ARCHITECTURE,
        layer: bytes = b"",
        zstd: Callable[[bytes], bytes] | None = None,
        **configuration: Any,
    ) -> str:
        """Push an image with only busybox, or with a gzipped layer; return its digest.

        With ``zstd``, that function compresses the layer, and its media type is zstd.
        """
        layer = layer or busybox_layer()
        content = gzip.decompress(layer)
        if zstd:
            layer = zstd(content)
        config = {
            "architecture": architecture,
            "os": os,
            "config": {"Cmd": command, "Env": ["PATH=/bin"], **configuration},
            "rootfs": {"type": "layers", "diff_ids": [_digest(content)]},
        }
        blob = json.dumps(config).encode()
        self._upload(repository, layer, blob)
        layers = [_descriptor(layer, f"application/vnd.oci.image.layer.v1.tar+{'zstd' if zstd else 'gzip'}")]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(blob, CONFIG),
            "layers": layers,
        }
        return self.put_manifest(repository, manifest, tag)

    def push_artifact(self, repository: str, config_type: str, layer_type: str, tag: str) -> str:
        """Push an artifact that is not an image: with a configuration and one layer of these media types."""
        layer, blob = f"{uuid.uuid4()}".encode(), b"{}"
        self._upload(repository, layer, blob)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(blob, config_type),
            "layers": [_descriptor(layer, layer_type)],
        }
        return self.put_manifest(repository, manifest, tag)

    def _upload(self, repository: str, *blobs: bytes) -> None:
        for content in blobs:
            path = f"/v2/{repository}/blobs/uploads/?digest={_digest(content)}"
            assert self.request("POST", path, content)[0] == 201

    def put_manifest(self, repository: str, manifest: dict[str, Any], tag: str = "") -> str:
        raw = json.dumps(manifest).encode()
        status, answer = self.request(
            "PUT",
            f"/v2/{repository}/manifests/{tag or _digest(raw)}",
            raw,
            **{"Content-Type": manifest["mediaType"]},
        )
        assert status == 201, answer
        return _digest(raw)

    def manifest(self, repository: str, digest: str) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads(self.request("GET", f"/v2/{repository}/manifests/{digest}")[1])
        return manifest

    def push_index(self, repository: str, children: dict[str, str], tag: str) -> str:
        """Push an index of existing images: architecture -> digest."""
        manifests = [
            {
                "mediaType": MANIFEST,
                "digest": digest,
                "size": 1,
                "platform": {"os": "linux", "architecture": architecture},
            }
            for architecture, digest in children.items()
        ]
        for entry in manifests:
            entry["size"] = len(self.request("GET", f"/v2/{repository}/manifests/{entry['digest']}")[1])
        return self.put_manifest(
            repository, {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, tag
        )

    # Tasks

    def define(
        self,
        image: str,
        *,
        architecture: str = HOST_ARCHITECTURE,
        task_memory: str = "512",
        execution_role: str = "",
        **container: Any,
    ) -> str:
        family = f"family-{uuid.uuid4().hex[:8]}"
        logs = self.client("logs")
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName="apps")
        options = {"awslogs-group": "apps", "awslogs-region": self.region, "awslogs-stream-prefix": family}
        answer = self.client("ecs").register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory=task_memory,
            executionRoleArn=execution_role,
            runtimePlatform={"cpuArchitecture": CPU[architecture], "operatingSystemFamily": "LINUX"},
            containerDefinitions=[
                {
                    "name": "app",
                    "image": image,
                    "essential": True,
                    "logConfiguration": {"logDriver": "awslogs", "options": options},
                    **container,
                }
            ],
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def run(self, definition: str, *, public: str = "ENABLED", **more: Any) -> dict[str, Any]:
        subnet = self.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        network = {"awsvpcConfiguration": {"subnets": [subnet], "assignPublicIp": public}}
        answer = self.client("ecs").run_task(
            cluster="default",
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=network,
            **more,
        )
        assert not answer["failures"]
        task: dict[str, Any] = answer["tasks"][0]
        return task

    def task(self, arn: str) -> dict[str, Any]:
        tasks: list[dict[str, Any]] = self.client("ecs").describe_tasks(cluster="default", tasks=[arn])["tasks"]
        return tasks[0]

    def await_task(self, arn: str, status: str) -> dict[str, Any]:
        return eventually(lambda: task if (task := self.task(arn))["lastStatus"] == status else None)

    def log_lines(self, task: dict[str, Any]) -> list[str]:
        family = task["taskDefinitionArn"].rsplit("/", 1)[-1].split(":")[0]
        stream = f"{family}/app/{task['taskArn'].rsplit('/', 1)[-1]}"
        events = self.client("logs").get_log_events(logGroupName="apps", logStreamName=stream)["events"]
        return [event["message"] for event in events]

    # Callers

    def user(self, *statements: dict[str, Any]) -> Callable[[str], Any]:
        """A function that returns a service's client for a user with only these permissions."""
        iam, name = self.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="it", PolicyDocument=_policy(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return lambda service: self.client(service, key["AccessKeyId"], key["SecretAccessKey"])

    # Functions and workflows

    def role(self, service: str, *statements: dict[str, Any]) -> str:
        iam, name = self.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="it", PolicyDocument=_policy(*statements))
        return str(role["Arn"])

    def function(self, source: str, **configuration: Any) -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as content:
            # A fixed date, so that the same code gives the same archive.
            content.writestr(zipfile.ZipInfo("app.py", (2026, 1, 1, 0, 0, 0)), source)
        answer = self.client("lambda").create_function(
            FunctionName=f"function-{uuid.uuid4().hex[:8]}",
            Role=self.role("lambda"),
            Code={"ZipFile": archive.getvalue()},
            **{"Runtime": "python3.13", "Handler": "app.handler", "Timeout": 10, **configuration},
        )
        return str(answer["FunctionArn"])

    def invoke(self, function: str, event: Any = None) -> tuple[str, Any]:
        """The kind of the function error ('' if none), and the result."""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        return answer.get("FunctionError", ""), json.loads(answer["Payload"].read())

    def execute(self, definition: dict[str, Any], data: Any = None, *, role: str = "") -> str:
        """Create and start a state machine; return the execution's ARN."""
        allow = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
        workflow = self.client("stepfunctions")
        machine = workflow.create_state_machine(
            name=f"machine-{uuid.uuid4().hex[:8]}",
            definition=json.dumps(definition),
            roleArn=role or self.role("states", allow),
        )["stateMachineArn"]
        return str(
            workflow.start_execution(stateMachineArn=machine, input=json.dumps(data or {}))["executionArn"]
        )

    def outcome(self, execution: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            seen: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=execution)
            return seen if seen["status"] != "RUNNING" else None

        return eventually(ended)

    # Events

    def watch(self, **pattern: Any) -> Callable[..., list[dict[str, Any]]]:
        """A function that returns the matching events so far, if there are at least as many as requested."""
        name, sqs, events = f"watch-{uuid.uuid4().hex[:8]}", self.client("sqs"), self.client("events")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        seen: list[dict[str, Any]] = []

        def look(at_least: int = 1) -> list[dict[str, Any]]:
            while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                seen.extend(json.loads(message["Body"]) for message in messages)
                for message in messages:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return seen if len(seen) >= at_least else []

        return look


def start_cloud(state_dir: Path, *, port: int = 0, through: tuple[str, ...] = (), **environment: str) -> Cloud:
    """A cloud in a process of its own. `through` is a module of the tests that runs the server's."""
    port = port or free_port()
    command = [sys.executable, "-m", *through, "localcloud.server", "--port", str(port), "--account", ACCOUNT]
    python = state_dir / "lambda-python" / "bin" / "python"
    command += ["--region", REGION, "--state-dir", str(state_dir)]
    command += ["--lambda-python", str(python if python.exists() else sys.executable)]
    with (state_dir / "cloud.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=PROJECT, env={**os.environ, **environment}
        )
    cloud = Cloud(process, port, state_dir)

    def answers() -> bool:
        assert process.poll() is None, (state_dir / "cloud.log").read_text()
        try:
            return cloud.request("GET", "/_ministack/health")[0] == 200
        except OSError:
            return False

    try:
        eventually(answers, within=120)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return cloud


@pytest.fixture(scope="session")
def cloud(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    running = start_cloud(tmp_path_factory.mktemp("cloud"), NOT_FOR_FUNCTIONS="secret", PYTHONPATH=os.getcwd())
    yield running
    running.stop()
    forget_images(running.port)


def forget_images(port: int) -> None:
    """Remove the images that tasks have pulled, by name, because another cloud may use the same image."""
    command = ["docker", "images", "--digests", "--filter", f"reference=localhost:{port}/*"]
    listed = subprocess.check_output(
        [*command, "--format", "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}"], text=True
    )
    names = {name for name in listed.split() if not name.endswith("<none>")}
    if names:
        subprocess.run(["docker", "rmi", *names], capture_output=True, check=False)


_layer: list[bytes] = []


def busybox_layer() -> bytes:
    """A gzipped layer with a static busybox; no image can be pulled where the tests run."""
    if not _layer:
        if not shutil.which("busybox") and os.geteuid() == 0 and shutil.which("apt-get"):
            subprocess.run(
                ["apt-get", "install", "-y", "-q", "busybox-static"], check=True, capture_output=True
            )
        busybox = shutil.which("busybox")
        assert busybox, "The tests of containers need a static busybox: apt-get install busybox-static"
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(os.path.realpath(busybox), "bin/busybox")
            for name in ("sh", "httpd", "sleep", "echo", "env", "tail"):
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        _layer.append(gzip.compress(archive.getvalue(), mtime=0))
    return _layer[0]


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
