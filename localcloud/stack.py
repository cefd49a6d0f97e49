"""Installs the stack in the embedded cloud with the real `sam build` and `sam deploy`."""

import fcntl
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from localcloud.aws_session import session
from localcloud.machine.emulation import host
from localcloud.packing import packed
from localcloud.processes import CloudError, run
from localcloud.settings import INBOX_OWNER, PROJECT, STACK, CloudSettings

BROKEN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")


def client(settings: CloudSettings, service: str) -> Any:
    """A boto3 client of the embedded cloud, whatever the user's own AWS configuration says."""
    return _client(settings, service, settings.secret)


@cache
def _client(settings: CloudSettings, service: str, secret: str) -> Any:
    return _session().client(  # type: ignore[call-overload]
        service,
        aws_access_key_id=settings.account,
        aws_secret_access_key=secret,
        region_name=settings.region,
        endpoint_url=settings.endpoint,
    )


@cache
def _session() -> boto3.Session:
    """One session for all clients: it reads the models of AWS's APIs once, which is most of a client's time."""
    return boto3.Session(botocore_session=session())


def install(
    settings: CloudSettings, progress: Callable[[str], None], parameters: Mapping[str, str] | None = None
) -> None:
    """Build the functions and install or update the stack, with these parameters of the template.

    Raises CloudError.
    """
    template = build(settings, progress)
    progress("Installing the stack (sam deploy)")
    _sam(
        settings,
        "deploy",
        "--template-file",
        str(packed(template)),
        "--region",
        settings.region,
        "--parameter-overrides",
        *(f"{name}={value}" for name, value in given(parameters).items()),
    )


def build(settings: CloudSettings, progress: Callable[[str], None]) -> Path:
    """Build the functions into the state folder; return the template that refers to them. Raises CloudError."""
    folder = settings.state_dir / "build"
    progress("Building the functions (sam build)")
    with _one_build():
        _sam(
            settings,
            "build",
            "--build-dir",
            str(folder),
            "--cache-dir",
            str(settings.state_dir / "build-cache"),
        )
    return folder / "template.yaml"


def given(parameters: Mapping[str, str] | None = None) -> dict[str, str]:
    """These parameters of the template, and those without which nothing works on this machine."""
    return {"Email": INBOX_OWNER, "CpuArchitecture": _architecture(), **(parameters or {})}


@contextmanager
def _one_build() -> Iterator[None]:
    """Allow one `sam build` of this checkout at a time: each deletes unknown folders in `.aws-sam/deps`."""
    folder = PROJECT / ".aws-sam"
    folder.mkdir(exist_ok=True)
    with (folder / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_broken(settings: CloudSettings) -> bool:
    """Whether an earlier install ended in a state that CloudFormation cannot update."""
    try:
        stacks = client(settings, "cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    except (BotoCoreError, ClientError):
        return False
    return any(stack["StackStatus"] in BROKEN for stack in stacks)


def outputs(settings: CloudSettings) -> dict[str, str]:
    """The stack's outputs by name. Raises CloudError if there is no stack, or no cloud."""
    try:
        stacks = client(settings, "cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise CloudError("The embedded cloud is not running, or has no stack. Start it: portcall up") from error
    return {each["OutputKey"]: each["OutputValue"] for each in stacks[0].get("Outputs", [])}


def _architecture() -> str:
    """The CPU of this machine, the only one of the embedded Fargate, for images that are built for several."""
    return "ARM64" if host() == "arm64" else "X86_64"


def _sam(settings: CloudSettings, command: str, *arguments: str) -> None:
    sam = Path(sys.executable).with_name("sam")
    environment = settings.process_environment()
    # `sam build` looks for uv on the PATH; it must find the one of the lock file.
    environment["PATH"] = f"{sam.parent}:{environment.get('PATH', '')}"
    environment["SAM_CLI_CONTAINER_CONNECTION_TIMEOUT"] = "1"
    # SAM asks AWS's CloudFormation every five seconds; the one here is done in two.
    environment["SAM_CLI_POLL_DELAY"] = "0.5"
    run(
        [
            str(sam),
            command,
            "--config-file",
            str(PROJECT / "samconfig.toml"),
            "--config-env",
            "local",
            *arguments,
        ],
        log=settings.logs / f"sam-{command}.log",
        environment=environment,
        folder=PROJECT,
        failed=f"`sam {command}` failed.",
    )
