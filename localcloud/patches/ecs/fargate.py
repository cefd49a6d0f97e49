"""How Fargate starts containers.

MiniStack: sets no limits, and runs images that were built for another CPU.
AWS: limits a task's CPU and memory, and refuses an image without the task's platform.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

import io
import logging
import os
import re
import tarfile
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from ministack.services import ecr, ecs

from localcloud.machine.emulation import runs
from localcloud.options import Settings
from localcloud.patches.ecs.docker_client import (
    ENGINE_ERRORS,
    ForeignRegistry,
    images_of,
    local_name,
    manifest_of,
)
from localcloud.patches.ecs.task_times import pulling
from localcloud.patches.ecs.zstd_layers import load_decompressed
from localcloud.patches.patch import Function, patch

log = logging.getLogger("portcall.fargate")

# Credentials that MiniStack gives every container. On AWS only a task with a role gets some.
_LENT = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_ENDPOINT_URL")
_PLATFORMS = {"": "linux/amd64", "X86_64": "linux/amd64", "ARM64": "linux/arm64"}
NO_SPACE = "no space left on device"
_REPORTED_BY_MINISTACK = "ResourceInitializationError: unable to pull image or start container: "


class StartError(Exception):
    """A container that could not be created or started; the text is the task's ``stoppedReason``."""


@patch(ecs, "_build_run_kwargs")
def _limit(
    original: Function,
    cdef: dict[str, Any],
    td: dict[str, Any],
    env: dict[str, str],
    *rest: Any,
    settings: Settings,
) -> Any:
    if not td.get("taskRoleArn"):
        for name in _LENT:
            env.pop(name, None)
    env.setdefault("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE")
    env.setdefault("AWS_REGION", settings.region)
    env.setdefault("AWS_DEFAULT_REGION", settings.region)
    kwargs: dict[str, Any] = original(cdef, td, env, *rest)
    architecture = (td.get("runtimePlatform") or {}).get("cpuArchitecture", "")
    kwargs["platform"] = _PLATFORMS.get(architecture.upper(), "linux/amd64")
    kwargs["privileged"] = False
    # Docker lets every user open ports below 1024; Fargate does not.
    # https://github.com/aws/containers-roadmap/issues/1721
    kwargs["sysctls"] = {"net.ipv4.ip_unprivileged_port_start": "1024"}
    for forbidden in ("cap_add", "volumes", "pid_mode"):
        kwargs.pop(forbidden, None)
    if not td.get("taskRoleArn"):
        # The name of the host, which a Fargate task cannot reach.
        kwargs.pop("extra_hosts", None)
    if memory := _memory_mib(cdef.get("memory")) or _memory_mib(td.get("memory")):
        kwargs["mem_limit"] = kwargs["memswap_limit"] = f"{memory}m"
    if cpu := _cpu_units(td.get("cpu")):
        # Docker refuses more CPUs than the machine has.
        kwargs["nano_cpus"] = int(min(cpu / 1024, os.cpu_count() or 1) * 1_000_000_000)
    for name, option in (
        ("entryPoint", "entrypoint"),
        ("workingDirectory", "working_dir"),
        ("user", "user"),
        ("readonlyRootFilesystem", "read_only"),
    ):
        if cdef.get(name):
            kwargs[option] = cdef[name]
    return kwargs


@patch(ecs, "_run_docker_container")
def _start(
    original: Function,
    client: Any,
    cdef: dict[str, Any],
    kwargs: dict[str, Any],
    *,
    settings: Settings,
    **_: Any,
) -> Any:
    """Pull, create and start. The original falls back to any platform that the host can run."""
    wanted = kwargs["platform"]
    with pulling(kwargs["labels"]["com.amazonaws.ecs.task-arn"]):
        image, platform = _pull(client, cdef["image"], wanted, settings)
    options = {**kwargs, "platform": platform}
    if platform == wanted and not runs(platform.partition("/")[2]):
        # On AWS it would run, but not here.
        raise StartError(
            f"CannotStartContainerError: the image is for {platform}, and this machine has neither "
            "such a CPU nor an emulator of one. Get one: sudo apt-get install qemu-user-static"
        )
    program = ""
    if platform != wanted:
        log.warning("%s is for %s, its task definition for %s", cdef["image"], platform, wanted)
        program = _program(client.images.get(image), options)
        options |= {
            "entrypoint": [f"/{program}"],
            "command": None,
            "read_only": False,
            "working_dir": "/",
        }
    container = None
    try:
        container = client.containers.create(image, **options)
        if program:
            _put_unexecutable(container, program)
    except ENGINE_ERRORS as error:
        _remove(container)
        raise _start_error("CannotCreateContainerError", error) from error
    try:
        container.start()
    except ENGINE_ERRORS as error:
        _remove(container)
        raise _start_error("CannotStartContainerError", error) from error
    return container


def _start_error(kind: str, error: Exception) -> StartError:
    """The engine refused, which is the image's fault; or it was away, which is not."""
    if isinstance(error, DockerException):
        return StartError(f"{kind}: {_explained(error)}")
    return StartError(f"the Docker engine of this machine did not answer: {error}")


def _pull(client: Any, image: str, wanted: str, settings: Settings) -> tuple[str, str]:
    """Pull an image, always, because Fargate caches none; return its name in the engine and its platform.

    AWS chooses from an index by the task definition, and accepts a single manifest of any platform.
    """
    platform = _platform(image, wanted, settings)
    try:
        return _into_engine(client, image, platform, settings), platform
    except (NotFound, ForeignRegistry) as error:
        raise ecs._ImagePullError(
            f"pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {image}: not found"
        ) from error
    except ENGINE_ERRORS as error:
        failed, text = "pull image manifest", _explained(error)
        if "no matching manifest" in text or "no match for platform" in text:
            text = f"image Manifest does not contain descriptor matching platform '{wanted}'"
        elif re.search(r"manifest unknown|name unknown|failed to resolve reference .*: not found", text):
            text = f"failed to resolve ref {image}: {image}: not found"
        else:
            failed = "ref pull"
        raise ecs._ImagePullError(f"{failed} has been retried 1 time(s): {text}") from error


def _into_engine(client: Any, image: str, platform: str, settings: Settings) -> str:
    name = local_name(image, settings)
    if name.startswith(f"{settings.registry}/") and manifest_of(image, settings) is None:
        # Otherwise the engine would use an image that it pulled before.
        raise NotFound(image)
    # `images.pull` ignores errors during the pull, and then finds no image, or an old one.
    lines = client.api.pull(name, platform=platform, stream=True, decode=True)
    refusal = next((line["error"] for line in lines if "error" in line), None)
    if refusal is None:
        return name
    loaded = load_decompressed(client, image, platform, settings)
    if loaded is None:
        raise DockerException(refusal)
    return loaded


def _platform(image: str, wanted: str, settings: Settings) -> str:
    found = manifest_of(image, settings)
    if found is None:
        return wanted
    repository, _digest, manifest = found
    if "manifests" in manifest:
        if wanted not in images_of(manifest):
            raise ecs._ImagePullError(
                f"image Manifest does not contain descriptor matching platform '{wanted}'"
            )
        return wanted
    blob = ecr._layer_blobs.get(repository, {}).get((manifest.get("config") or {}).get("digest"), b"{}")
    architecture = ecs.json.loads(blob).get("architecture")
    return f"linux/{architecture}" if architecture else wanted


def _program(image: Any, options: dict[str, Any]) -> str:
    config = image.attrs.get("Config") or {}
    entrypoint = options.get("entrypoint") or config.get("Entrypoint") or []
    command = options.get("command") or config.get("Cmd") or []
    return os.path.basename([*entrypoint, *command, "app"][0]) or "app"


def _put_unexecutable(container: Any, program: str) -> None:
    """Replace the program by one that the kernel refuses like a program for another CPU.

    A laptop may emulate the other CPU, or have it. AWS does neither, and the result must not depend on that.
    """
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        content = b"another CPU's program\n"
        member = tarfile.TarInfo(program)
        member.size, member.mode = len(content), 0o755
        tar.addfile(member, io.BytesIO(content))
    container.put_archive("/", archive.getvalue())


@patch(ecs, "_fail_task_start")
def _plain_reason(original: Function, task: dict[str, Any], client: Any, reason: str) -> None:
    plain = reason.removeprefix(_REPORTED_BY_MINISTACK)
    if plain.startswith(("CannotStartContainerError:", "CannotCreateContainerError:")):
        reason = plain
    for container in task["containers"]:
        container["reason"] = reason
    original(task, client, reason)


def _remove(container: Any) -> None:
    if container is not None:
        try:
            container.remove(force=True, v=True)
        except ENGINE_ERRORS as error:
            log.warning("could not remove a container that did not start: %s", error)


def _explained(error: Exception) -> str:
    text = (error.explanation if isinstance(error, APIError) else None) or str(error)
    # On Fargate each task has its own disk, so only a too large image fills it.
    text = text.replace(NO_SPACE, "the disk of this machine that Docker keeps its images on is full")
    return f"Error response from daemon: {text}"


def _memory_mib(value: Any) -> int:
    """Task definitions say 512, "512", "0.5 GB" or "1GB"."""
    match = re.fullmatch(r"\s*([\d.]+)\s*(gb)?\s*", str(value or ""), re.IGNORECASE)
    return int(float(match[1]) * (1024 if match[2] else 1)) if match else 0


def _cpu_units(value: Any) -> int:
    """Task definitions say 256, "256", ".25 vCPU" or "1 vcpu"."""
    match = re.fullmatch(r"\s*([\d.]+)\s*(vcpu)?\s*", str(value or ""), re.IGNORECASE)
    return int(float(match[1]) * (1024 if match[2] else 1)) if match else 0
