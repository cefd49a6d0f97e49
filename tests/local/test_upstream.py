"""Each reproduction in docs/upstream fails with plain MiniStack, and passes in the embedded cloud."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from localcloud import root_key
from tests.local.conftest import REGION, Cloud, eventually, free_port

pytestmark = pytest.mark.long(35)

FOLDER = Path(__file__).parents[2] / "docs/upstream"
ISSUES = sorted(each.stem for each in FOLDER.glob("*.md") if each.stem != "README")


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of MiniStack without any patch."""
    folder, port = tmp_path_factory.mktemp("ministack"), free_port()
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port),
        "STATE_DIR": str(folder), "S3_DATA_DIR": str(folder), "PERSIST_STATE": "0", "S3_PERSIST": "0",
        "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "DOCKER_HOST": "unix:///nowhere",
    }  # fmt: skip
    command = [sys.executable, "-m", "ministack.app"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: "Ready" in (folder / "log").read_text())
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def reproduce(issue: str) -> None:
    """Run the code of a report; its clients are those of boto3's default session."""
    (code,) = re.findall(
        r"^```python\n(.*?)^```$", (FOLDER / f"{issue}.md").read_text(), re.DOTALL | re.MULTILINE
    )
    exec(compile(code, issue, "exec"), {"__name__": issue})


@pytest.mark.parametrize("issue", ISSUES)
def test_ministack_still_answers_otherwise_than_aws(
    issue: str, ministack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session("test", "test", region_name=REGION))
    with pytest.raises((AssertionError, ValueError, LookupError)):
        reproduce(issue)


@pytest.mark.parametrize("issue", ISSUES)
def test_the_embedded_cloud_answers_as_aws_does(
    issue: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint)
    root = boto3.Session(cloud.account, root_key.read(cloud.state_dir), region_name=REGION)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", root)
    reproduce(issue)
