"""The cloud's process: its address, its access checks, and what it leaves."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import botocore.exceptions
import psutil
import pytest

from localcloud.cloud import _remove_pulled_images
from localcloud.patches import install
from localcloud.settings import CloudSettings
from tests.local.conftest import Cloud, eventually, forget_images, start_cloud


def containers(port: int) -> list[str]:
    selector = f"label=ministack.instance={os.uname().nodename}:{port}"
    return subprocess.check_output(["docker", "ps", "-aq", "--filter", selector], text=True).split()


def test_it_listens_on_loopback_and_nowhere_else(cloud: Cloud) -> None:
    connections = psutil.Process(cloud.process.pid).net_connections(kind="inet")
    listening = {tuple(each.laddr) for each in connections if each.status == psutil.CONN_LISTEN}
    assert ("127.0.0.1", cloud.port) in listening
    # HTTP APIs have addresses of their own there.
    assert all(address.startswith("127.") and port == cloud.port for address, port in listening)


def test_iam_is_enforced(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    nobody = cloud.client("sns", key["AccessKeyId"], key["SecretAccessKey"])
    with pytest.raises(botocore.exceptions.ClientError, match="AuthorizationError"):
        nobody.list_topics()


def test_a_taken_port_is_one_sentence_and_exit_code_1(cloud: Cloud, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "localcloud.server",
        "--port",
        str(cloud.port),
        "--state-dir",
        str(tmp_path),
    ]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr == f"portcall: port {cloud.port} of 127.0.0.1 is in use by another program.\n"


def test_another_cloud_leaves_this_ones_containers_and_nothing_of_its_own(cloud: Cloud, tmp_path: Path) -> None:
    repository = cloud.repository()
    cloud.push(repository, ["sleep", "3600"], tag="latest")
    arn = cloud.run(cloud.define(cloud.image(repository, ":latest"), stopTimeout=2))["taskArn"]
    cloud.await_task(arn, "RUNNING")
    other = start_cloud(tmp_path)
    try:
        events, sns = other.client("events"), other.client("sns")
        topic = sns.create_topic(Name="stops")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="you@example.com")
        events.put_rule(Name="stops", EventPattern=json.dumps({"detail": {"desiredStatus": ["STOPPED"]}}))
        events.put_targets(Rule="stops", Targets=[{"Id": "it", "Arn": topic}])
        repository = other.repository()
        other.push(repository, ["sleep", "3600"], tag="latest")
        other.await_task(other.run(other.define(other.image(repository, ":latest")))["taskArn"], "RUNNING")
        _, function_process = other.invoke(
            other.function("import os\ndef handler(e, c):\n    return os.getpid()\n"),
        )
        assert containers(other.port)
    finally:
        status = other.stop()
        forget_images(other.port)
    assert status == 0
    assert not containers(other.port)
    assert not psutil.pid_exists(function_process)
    # Stopping the cloud sends no mails about the apps that stop with it.
    assert not list((tmp_path / "inbox" / "new").iterdir())
    assert cloud.task(arn)["lastStatus"] == "RUNNING"
    cloud.client("ecs").stop_task(cluster="default", task=arn)


def test_no_image_that_tasks_have_pulled_stays_in_the_engine_and_built_ones_do(cloud: Cloud) -> None:
    def names() -> set[str]:
        form = "{{.Repository}}:{{.Tag}}@{{.Digest}}"
        listed = subprocess.check_output(["docker", "images", "--digests", "--format", form], text=True)
        return {name for name in listed.split() if name.startswith(f"localhost:{cloud.port}/{repository}")}

    repository = cloud.repository()
    digests = [cloud.push(repository, ["sleep", str(seconds)]) for seconds in (1, 2)]
    for digest in digests:
        cloud.await_task(cloud.run(cloud.define(cloud.image(repository, f"@{digest}")))["taskArn"], "STOPPED")
    image = f"localhost:{cloud.port}/{repository}"
    subprocess.check_call(["docker", "tag", f"{image}@{digests[0]}", f"{image}:built"])
    # Another cloud may have the very same image.
    elsewhere = f"localhost:1/{repository}:elsewhere"
    subprocess.check_call(["docker", "tag", f"{image}@{digests[1]}", elsewhere])

    def left() -> set[str]:
        # A stopped task's container may still be there for a moment; `down` removes containers first.
        _remove_pulled_images(CloudSettings(port=cloud.port, state_dir=cloud.state_dir))
        return {name.partition("@")[0] for name in names()}

    with contextlib.suppress(AssertionError):
        eventually(lambda: left() == {f"{image}:built"})
    assert left() == {f"{image}:built"}
    # Fails if either name is gone.
    subprocess.check_call(["docker", "rmi", f"{image}:built", elsewhere], stdout=subprocess.DEVNULL)


def test_another_version_of_ministack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "version", lambda _name: "9.9.9")
    with pytest.raises(install.WrongVersion, match=r"needs ministack .*, but 9\.9\.9 is installed"):
        install.check_version()
