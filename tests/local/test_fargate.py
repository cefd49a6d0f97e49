"""Containers have Fargate's limits, and fail as on Fargate."""

import gzip
import io
import struct
import tarfile

import pytest

from localcloud.machine.emulation import MACHINES, runs
from tests.local.conftest import HOST_ARCHITECTURE, OTHER_ARCHITECTURE, Cloud

pytestmark = pytest.mark.long(15)

# Write 4 bytes from behind the code to output 1, and exit with 0.
CODE = {
    "amd64": bytes.fromhex("bf01000000 488d3515000000 ba04000000 b801000000 0f05 31ff b83c000000 0f05"),
    "arm64": bytes.fromhex("200080d2 e1000010 820080d2 080880d2 010000d4 000080d2 a80b80d2 010000d4"),
}


def program(architecture: str) -> bytes:
    """A Linux program for a CPU that prints `ran`: the smallest ELF file with that in it."""
    content, base, begin = CODE[architecture] + b"ran\n", 0x400000, 64 + 56
    kind = (2, MACHINES[architecture], 1, base + begin, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = begin + len(content)
    segment = (1, 5, 0, base, base, size, size, 0x1000)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    return identity + struct.pack("<HHIQQQIHHHHHH", *kind) + struct.pack("<IIQQQQQQ", *segment) + content


def layer(content: bytes) -> bytes:
    """A gzipped layer with one executable file, `/program`."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("program")
        member.size, member.mode = len(content), 0o755
        tar.addfile(member, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), mtime=0)


def test_an_image_that_is_not_there_cannot_be_pulled(cloud: Cloud) -> None:
    repository = cloud.repository()
    task = cloud.await_task(cloud.run(cloud.define(cloud.image(repository, ":nothing")))["taskArn"], "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError: pull image manifest has been retried")
    assert "exitCode" not in task["containers"][0]


def test_an_image_that_was_deleted_cannot_be_pulled_though_the_engine_has_it(cloud: Cloud) -> None:
    repository = cloud.repository()
    digest = cloud.push(repository, ["echo", "hello"], tag="latest")
    definition = cloud.define(cloud.image(repository, f"@{digest}"))
    assert "exitCode" in cloud.await_task(cloud.run(definition)["taskArn"], "STOPPED")["containers"][0]
    cloud.client("ecr").batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    task = cloud.await_task(cloud.run(definition)["taskArn"], "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "not found" in task["stoppedReason"]


def test_a_damaged_layer_is_reported_as_the_engine_reports_it(cloud: Cloud) -> None:
    repository = cloud.repository()
    damaged = gzip.compress(repository.encode() * 100)
    cloud.push(repository, ["sleep", "3600"], tag="latest", layer=damaged)
    task = cloud.await_task(cloud.run(cloud.define(cloud.image(repository, ":latest")))["taskArn"], "STOPPED")
    assert task["stoppedReason"].startswith("CannotPullContainerError: ref pull has been retried 1 time(s): ")
    assert "layer" in task["stoppedReason"]
    assert "not found" not in task["stoppedReason"]


def test_an_image_of_another_account_is_not_asked_of_the_real_aws(cloud: Cloud) -> None:
    image = f"999999999999.dkr.ecr.{cloud.region}.amazonaws.com/app:latest"
    task = cloud.await_task(cloud.run(cloud.define(image))["taskArn"], "STOPPED")
    assert task["stoppedReason"].startswith("CannotPullContainerError:")


def test_a_command_that_the_image_has_not_cannot_be_started(cloud: Cloud) -> None:
    repository = cloud.repository()
    cloud.push(repository, ["nonsense"], tag="latest")
    task = cloud.await_task(cloud.run(cloud.define(cloud.image(repository, ":latest")))["taskArn"], "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotStartContainerError: Error response from daemon:")
    assert "nonsense" in task["stoppedReason"]


def test_an_image_for_another_cpu_dies_with_exec_format_error(cloud: Cloud) -> None:
    repository = cloud.repository()
    cloud.push(repository, ["/bin/sleep", "60"], tag="latest", architecture=OTHER_ARCHITECTURE)
    definition = cloud.define(cloud.image(repository, ":latest"), architecture=HOST_ARCHITECTURE)
    task = cloud.await_task(cloud.run(definition)["taskArn"], "STOPPED")
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["containers"][0]["exitCode"] not in (0, None)
    assert any("exec format error" in line for line in cloud.log_lines(task))


def test_a_task_definition_for_another_cpu_does_not_run_the_hosts_image(cloud: Cloud) -> None:
    repository = cloud.repository()
    cloud.push(repository, ["/bin/sleep", "60"], tag="latest", architecture=HOST_ARCHITECTURE)
    definition = cloud.define(cloud.image(repository, ":latest"), architecture=OTHER_ARCHITECTURE)
    task = cloud.await_task(cloud.run(definition)["taskArn"], "STOPPED")
    assert any("exec format error" in line for line in cloud.log_lines(task))


@pytest.mark.parametrize("architecture", [HOST_ARCHITECTURE, OTHER_ARCHITECTURE])
def test_an_image_runs_where_its_cpu_is_here_or_emulated_and_nowhere_else(
    cloud: Cloud, architecture: str
) -> None:
    repository, content = cloud.repository(), layer(program(architecture))
    cloud.push(repository, ["/program"], tag="latest", architecture=architecture, layer=content)
    definition = cloud.define(cloud.image(repository, ":latest"), architecture=architecture)
    task = cloud.await_task(cloud.run(definition)["taskArn"], "STOPPED")
    if runs(architecture):
        assert (task["containers"][0]["exitCode"], cloud.log_lines(task)) == (0, ["ran"])
    else:
        assert task["stopCode"] == "TaskFailedToStart"
        assert "qemu-user-static" in task["stoppedReason"]


def test_an_index_without_the_cpu_cannot_be_pulled_and_one_with_it_runs(cloud: Cloud) -> None:
    repository = cloud.repository()
    command = ["sh", "-c", "echo ran; sleep 1"]
    other = cloud.push(repository, command, architecture=OTHER_ARCHITECTURE)
    index = cloud.push_index(repository, {OTHER_ARCHITECTURE: other}, "other")
    definition = cloud.define(cloud.image(repository, f"@{index}"))
    task = cloud.await_task(cloud.run(definition)["taskArn"], "STOPPED")
    assert task["stoppedReason"] == (
        "CannotPullContainerError: image Manifest does not contain descriptor matching platform "
        f"'linux/{HOST_ARCHITECTURE}'"
    )
    own = cloud.push(repository, command)
    index = cloud.push_index(repository, {OTHER_ARCHITECTURE: other, HOST_ARCHITECTURE: own}, "both")
    task = cloud.await_task(cloud.run(cloud.define(cloud.image(repository, f"@{index}")))["taskArn"], "STOPPED")
    assert task["containers"][0]["exitCode"] == 0
    assert cloud.log_lines(task) == ["ran"]


def test_out_of_memory_is_exit_code_137_with_a_reason(cloud: Cloud) -> None:
    repository = cloud.repository()
    # Docker watches a container's memory only from a moment after its start.
    cloud.push(repository, ["sh", "-c", "sleep 1; exec tail /dev/zero"], tag="latest")
    definition = cloud.define(cloud.image(repository, ":latest"), task_memory="512", memory=16)
    task = cloud.await_task(cloud.run(definition)["taskArn"], "STOPPED")
    (container,) = task["containers"]
    assert container["exitCode"] == 137
    assert container["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_a_task_without_a_role_is_lent_no_credentials(cloud: Cloud) -> None:
    repository = cloud.repository()
    cloud.push(repository, ["env"], tag="latest")
    arn = cloud.run(
        cloud.define(cloud.image(repository, ":latest"), environment=[{"name": "OWN", "value": "1"}])
    )
    task = cloud.await_task(arn["taskArn"], "STOPPED")
    lines = cloud.log_lines(task)
    names = {line.partition("=")[0] for line in lines}
    assert {"OWN", "AWS_EXECUTION_ENV", "AWS_REGION"} <= names
    assert not names & {
        "AWS_ENDPOINT_URL",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    }


def test_the_last_log_lines_are_there_when_the_task_has_stopped(cloud: Cloud) -> None:
    repository = cloud.repository()
    chatter = "i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done; echo why >&2; exit 1"
    cloud.push(repository, ["sh", "-c", chatter], tag="latest")
    task = cloud.await_task(cloud.run(cloud.define(cloud.image(repository, ":latest")))["taskArn"], "STOPPED")
    lines = cloud.log_lines(task)
    # Two streams: only the order within each is certain.
    assert "why" in lines
    assert [line for line in lines if line != "why"][-1] == "line 3999"


def test_ports_below_1024_are_roots(cloud: Cloud) -> None:
    repository = cloud.repository()
    serve = "httpd -f -p $PORT -h / & sleep 1; kill $! && echo served"
    digest = cloud.push(repository, ["sh", "-c", serve])
    image = cloud.image(repository, f"@{digest}")
    ports = [("1000", "80"), ("1000", "1023"), ("1000", "1024"), ("", "80")]
    tasks = [
        cloud.run(cloud.define(image, user=user, environment=[{"name": "PORT", "value": port}]))["taskArn"]
        for user, port in ports
    ]
    lines = [cloud.log_lines(cloud.await_task(task, "STOPPED")) for task in tasks]
    assert [each[-1:] == ["served"] for each in lines] == [False, False, True, True], lines
    assert "bind: Permission denied" in lines[0][0]


@pytest.mark.parametrize(
    "command", ["printf 'last words'; exit 1", "sleep 1; printf 'last words' >&2; kill -9 $$"]
)
def test_a_last_line_without_an_end_is_reported(cloud: Cloud, command: str) -> None:
    repository = cloud.repository()
    digest = cloud.push(repository, ["sh", "-c", f"echo first; {command}"])
    definition = cloud.define(cloud.image(repository, f"@{digest}"))
    tasks = [cloud.run(definition)["taskArn"] for _ in range(8)]
    for task in tasks:
        assert cloud.log_lines(cloud.await_task(task, "STOPPED")) == ["first", "last words"]


def test_a_long_log_is_reported_once(cloud: Cloud) -> None:
    repository = cloud.repository()
    count = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done; printf end"
    digest = cloud.push(repository, ["sh", "-c", count])
    task = cloud.await_task(
        cloud.run(cloud.define(cloud.image(repository, f"@{digest}")))["taskArn"], "STOPPED"
    )
    family = task["taskDefinitionArn"].rsplit("/", 1)[-1].split(":")[0]
    stream = f"{family}/app/{task['taskArn'].rsplit('/', 1)[-1]}"
    pages = {"logGroupName": "apps", "logStreamNames": [stream]}
    found = cloud.client("logs").get_paginator("filter_log_events").paginate(**pages)
    lines = [event["message"] for page in found for event in page["events"]]
    assert sorted(lines) == sorted([*(f"line {n}" for n in range(1, 3001)), "end"])
