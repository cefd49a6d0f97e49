"""The wheel alone, in its own environment: it installs, upgrades and removes the stack."""

import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud import root_key
from localcloud.inbox import read
from localcloud.settings import PROJECT
from portcall.installer import packaged
from portcall.installer.packaged import Packaged
from release import packaging
from tests.conftest import StateFolder
from tests.deployments import WITHIN
from tests.local.conftest import (
    ACCOUNT,
    CPU,
    HOST_ARCHITECTURE,
    REGION,
    Cloud,
    eventually,
)
from tests.local.installed import SERVES, cloud_of_its_own, inventory

pytestmark = pytest.mark.long(60)

BIN = Path(sys.executable).parent
# The mails of the embedded cloud are for any address; images that are built for two CPUs run on this machine's.
EMAIL = "you@example.com"
MACHINE = CPU[HOST_ARCHITECTURE]


def sam(command: str, *arguments: str, **environment: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **inherited,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": REGION,
        **environment,
    }
    line = [str(BIN / "sam"), command, "--config-file", str(PROJECT / "samconfig.toml"), *arguments]
    ended = subprocess.run(line, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def carried(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the wheel has in `portcall/_stack`."""
    folder = tmp_path_factory.mktemp("carried") / "_stack"
    packaging.write(built, folder)
    return folder


@pytest.fixture(scope="module")
def account(engine: None, state_folder: StateFolder) -> Iterator[Cloud]:
    with cloud_of_its_own(state_folder("account")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def command(carried: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`portcall` from the wheel, in an environment that has nothing else, without the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    # As `make wheel` does, but the repository's own folder is left alone.
    run(BIN / "uv", "build", "--quiet", "--wheel", "--out-dir", folder, cwd=PROJECT)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        inside = {each for each in archive.namelist() if each.startswith("portcall/_stack/")}
        for path in carried.iterdir():
            if f"portcall/_stack/{path.name}" not in inside:
                archive.write(path, f"portcall/_stack/{path.name}")
    run(BIN / "uv", "venv", "--quiet", "--python", sys.executable, folder / "venv")
    run(BIN / "uv", "pip", "install", "--quiet", "--python", folder / "venv/bin/python", wheel)
    return folder / "venv/bin/portcall"


def run(*words: Any, cwd: Path | None = None) -> None:
    ended = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


class Installer:
    """`portcall ...` of the wheel, as root of an account."""

    def __init__(self, command: Path, cloud: Cloud, folder: Path) -> None:
        self.command, self.cloud, self.folder = command, cloud, folder

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.command), *words],
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.folder),
                "AWS_ENDPOINT_URL": self.cloud.endpoint,
                "AWS_ACCESS_KEY_ID": ACCOUNT,
                "AWS_SECRET_ACCESS_KEY": root_key.read(self.cloud.state_dir),
                "AWS_REGION": REGION,
                "PORTCALL_STACK": "portcall",
                **environment,
            },
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
        )

    def says(self, *words: str) -> str:
        ended = self.run(*words)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def sentence(self, code: int, *words: str, **environment: str) -> str:
        ended = self.run(*words, **environment)
        assert ended.returncode == code, ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stderr

    @property
    def stack(self) -> dict[str, Any] | None:
        found = self.cloud.client("cloudformation").describe_stacks()["Stacks"]
        return next((each for each in found if each["StackName"] == "portcall"), None)


@pytest.fixture
def installer(command: Path, account: Cloud, tmp_path: Path) -> Installer:
    return Installer(command, account, tmp_path)


# ── What it contains


def test_the_template_is_the_one_that_sam_package_writes(
    built: Path, carried: Path, account: Cloud, tmp_path: Path
) -> None:
    account.client("s3").create_bucket(
        Bucket="of-sam", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    sam(
        "package", "--template-file", str(built), "--s3-bucket", "of-sam", "--region", REGION,
        "--output-template-file", str(tmp_path / "packaged.yaml"),
        AWS_ENDPOINT_URL=account.endpoint, AWS_ACCESS_KEY_ID=ACCOUNT,
        AWS_SECRET_ACCESS_KEY=root_key.read(account.state_dir),
    )  # fmt: skip
    sams = (tmp_path / "packaged.yaml").read_text()
    ours = Packaged.load(carried).template_for("of-sam", "portcall")
    places = re.compile(r"(CodeUri: s3://|Bucket: |Key: )\S+")
    assert places.sub(r"\1", ours) == places.sub(r"\1", sams)
    assert packaged.BUCKET not in ours


def test_the_same_code_is_the_same_bytes(built: Path, carried: Path, tmp_path: Path) -> None:
    again = packaging.write(built, tmp_path / "again")
    for name in (packaged.FUNCTIONS, packaged.DEFINITION, packaged.TEMPLATE, packaged.DESCRIPTION):
        assert (tmp_path / "again" / name).read_bytes() == (carried / name).read_bytes()
    for name, expected in again["sha256"].items():
        assert hashlib.sha256((carried / name).read_bytes()).hexdigest() == expected
    with zipfile.ZipFile(carried / packaged.FUNCTIONS) as archive:
        assert "deployer/steps/admit_push.py" in archive.namelist()
        assert not [each for each in archive.namelist() if each.endswith((".pyc", "/RECORD"))]


def test_a_packaged_file_that_differs_from_the_release_is_refused(carried: Path, tmp_path: Path) -> None:
    for path in carried.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / packaged.FUNCTIONS).write_bytes(b"other")
    with pytest.raises(Exception, match="is not the released file"):
        Packaged.load(tmp_path)


# ── One after the other, in this order


def test_it_installs_deploys_upgrades_and_leaves_nothing(installer: Installer) -> None:
    cloud = installer.cloud
    before = {**inventory(cloud), "buckets": buckets(cloud)}
    assert "There is no stack portcall" in installer.sentence(6, "upgrade", "--yes")
    assert "There is no stack portcall" in installer.sentence(6, "uninstall", "--confirm", "portcall")
    assert "To skip the question: --yes" in installer.sentence(2, "install", "--email", EMAIL)
    assert {**inventory(cloud), "buckets": buckets(cloud)} == before

    ended = installer.run("install", "--email", EMAIL, "--set", f"CpuArchitecture={MACHINE}", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert "AWS::DynamoDB::Table" in ended.stderr
    assert re.search(r"\d\d:\d\d:\d\d created Ledger \(AWS::DynamoDB::Table\)", ended.stderr)
    login, tag, push = ended.stdout.splitlines()
    assert (login.split()[0], tag.split()[:2], push.split()[:2]) == (
        "aws",
        ["docker", "tag"],
        ["docker", "push"],
    )
    assert f"AWS has sent an email to {EMAIL}. Click the link in it" in ended.stderr

    digest = cloud.push("flask-app", ["sh", "-c", f": {uuid.uuid4()}; {SERVES}"], tag="latest")
    waited = installer.run("wait", f"flask-app:latest@{digest}")
    assert waited.returncode == 0, waited.stderr
    (mail,) = eventually(lambda: read(cloud.state_dir / "inbox"), within=WITHIN)
    assert mail.subject.startswith("flask-app is live: ")

    assert "already" in installer.sentence(1, "install", "--email", EMAIL, "--yes")
    assert "There is nothing to change." in installer.says("upgrade", "--yes")
    changed = installer.says("upgrade", "--set", "MaxMemory=8192", "--yes")
    assert "Changes:" in changed
    parameters = {
        each["ParameterKey"]: each["ParameterValue"] for each in (installer.stack or {})["Parameters"]
    }
    assert (parameters["Email"], parameters["CpuArchitecture"], parameters["MaxMemory"]) == (
        EMAIL,
        MACHINE,
        "8192",
    )
    assert installer.run("status", "--exit-code").returncode == 0

    assert "is not the name of the stack" in installer.sentence(2, "uninstall", "--confirm", "other")
    assert "To skip the question: --confirm portcall" in installer.sentence(2, "uninstall")
    said = installer.says("uninstall", "--confirm", "portcall")
    assert said.endswith(
        "Portcall is removed. What is yours stays: secrets in Parameter Store, repositories that you created.\n"
    )
    eventually(lambda: {**inventory(cloud), "buckets": buckets(cloud)} == before, within=WITHIN)


def buckets(cloud: Cloud) -> set[str]:
    return {each["Name"] for each in cloud.client("s3").list_buckets()["Buckets"]}


def test_an_install_that_fails_says_why_and_leaves_nothing(installer: Installer) -> None:
    cloud = installer.cloud
    cloud.client("ecr").create_repository(repositoryName="taken-app")
    before = {**inventory(cloud), "buckets": buckets(cloud)}
    said = installer.sentence(1, "install", "--email", EMAIL, "--set", "RepositoryName=taken-app", "--yes")
    assert "It failed. Repository (AWS::ECR::Repository): " in said
    assert "What it had created was deleted." in said
    eventually(lambda: {**inventory(cloud), "buckets": buckets(cloud)} == before, within=WITHIN)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--email", "no-address"], 1, "must be an email address, or empty."),
        (["--set", "Emial=you@example.com"], 2, "There is no parameter Emial."),
        (["--set", "Email"], 2, "write Name=Value"),
        (["--bucket", "not-there"], 5, "There is no bucket not-there."),
        (["--set", "GitHubRepoId=1"], 1, "GitHubOrgId and GitHubRepoId belong together."),
    ],
)
def test_an_install_with_invalid_options_says_why_and_changes_nothing(
    installer: Installer, words: list[str], code: int, sentence: str
) -> None:
    before = {**inventory(installer.cloud), "buckets": buckets(installer.cloud)}
    assert sentence in installer.sentence(code, "install", "--yes", *words)
    assert {**inventory(installer.cloud), "buckets": buckets(installer.cloud)} == before


def test_the_description_names_every_parameter_of_the_template(carried: Path) -> None:
    description = json.loads((carried / packaged.DESCRIPTION).read_text())
    assert "GitHubRepository" in description["parameters"]
