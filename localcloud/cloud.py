"""Starts, checks and stops the embedded cloud's process."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import docker
import psutil
from docker.errors import DockerException

from localcloud.processes import CloudError, Detached, reap, run
from localcloud.settings import PROJECT, CloudSettings

START_TIMEOUT = 60.0
STOP_TIMEOUT = 40.0
END_TIMEOUT = 5.0


def is_up(settings: CloudSettings) -> bool:
    """Whether the cloud's process runs and answers."""
    return _pid(settings) is not None and _answers(settings)


def start(settings: CloudSettings, progress: Callable[[str], None], *, through: tuple[str, ...] = ()) -> None:
    """Start the cloud in the background and wait until it answers. Raises CloudError.

    `through` is a module that runs the server's, to watch its requests.
    """
    if _pid(settings) is not None:
        # It runs but does not answer: stop it first.
        stop(settings)
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", settings.port)) == 0:
            raise CloudError(
                f"Port {settings.port} is in use by another program. Stop it, or choose another port: "
                f"portcall up --port {settings.port + 1}"
            )
    python = python_for_functions(settings, progress)
    progress("Starting the embedded cloud")
    settings.logs.mkdir(parents=True, exist_ok=True)
    log = settings.logs / "cloud.log"
    arguments = {
        "--port": str(settings.port),
        "--account": settings.account,
        "--region": settings.region,
        "--state-dir": str(settings.state_dir),
        "--lambda-python": str(python),
    }
    with log.open("wb") as output:
        words = (word for pair in arguments.items() for word in pair)
        command = [sys.executable, "-m", *through, "localcloud.server", *words]
        process = Detached(command, output=output, folder=PROJECT)
    _pid_file(settings).write_text(f"{process.pid}\n")
    settings.save()
    deadline = time.monotonic() + START_TIMEOUT
    while not _answers(settings):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(settings)
            said = log.read_text(errors="replace").strip().splitlines()[-8:]
            raise CloudError(
                "\n".join([f"The embedded cloud did not start. The end of its log ({log}):", *said])
            )
        time.sleep(0.05)


def stop(settings: CloudSettings) -> bool:
    """Stop the cloud with its Lambda processes and containers; False if none ran."""
    pid = _pid(settings)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        while _pid(settings) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        if _pid(settings) is not None:
            os.kill(pid, signal.SIGKILL)
        _end_group(pid)
        _remove_containers(settings)
        _remove_pulled_images(settings)
    _pid_file(settings).unlink(missing_ok=True)
    settings.forget()
    return pid is not None


def _end_group(leader: int) -> None:
    """End processes that the cloud left behind, e.g. a running function."""
    deadline = time.monotonic() + END_TIMEOUT
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            # An ended leader that we have started belongs to its group until then.
            reap()
            os.killpg(leader, signal.SIGKILL)
            time.sleep(0.05)


def _remove_containers(settings: CloudSettings) -> None:
    """Remove containers that the cloud could not remove, because it was creating them when it ended."""
    label = f"ministack.instance={os.uname().nodename}:{settings.port}"
    with contextlib.suppress(DockerException), contextlib.closing(docker.from_env()) as engine:
        for container in engine.containers.list(all=True, filters={"label": label}):
            with contextlib.suppress(DockerException):
                container.remove(force=True, v=True)


def _remove_pulled_images(settings: CloudSettings) -> None:
    """Remove images that tasks pulled from the cloud's registry by digest. Images built here have a tag."""
    pulled = re.compile(r"([^:@]+)(@sha256:|:sha256-)[0-9a-f]{64}")
    with contextlib.suppress(DockerException), contextlib.closing(docker.from_env()) as engine:
        for image in engine.api.images():
            # The same image may have names in other registries and repositories, which stay.
            named = [*(image["RepoTags"] or []), *(image["RepoDigests"] or [])]
            ours = [name for name in named if name.startswith(f"{settings.registry}/")]
            built = {name.rpartition(":")[0] for name in ours if not pulled.search(name)}
            for name in ours:
                by_digest = pulled.fullmatch(name.removeprefix(f"{settings.registry}/"))
                if by_digest and f"{settings.registry}/{by_digest[1]}" not in built:
                    with contextlib.suppress(DockerException):
                        engine.images.remove(name)


def _answers(settings: CloudSettings) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=2)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def _pid_file(settings: CloudSettings) -> Path:
    return settings.state_dir / "cloud.pid"


def _pid(settings: CloudSettings) -> int | None:
    """The process id of the cloud, None if it is gone.

    The system reuses ids, so the process's command line is checked.
    """
    try:
        process = psutil.Process(int(_pid_file(settings).read_text()))
        # If this process started it, an ended child stays in the process table.
        ended = process.status() == psutil.STATUS_ZOMBIE
        return None if ended or "localcloud.server" not in process.cmdline() else process.pid
    except (OSError, ValueError, psutil.Error):
        return None


def python_for_functions(settings: CloudSettings, progress: Callable[[str], None]) -> Path:
    """A Python with only boto3, like Lambda's, so that a missing requirement shows."""
    wanted = f"boto3=={version('boto3')}"
    home = settings.state_dir / "lambda-python"
    marker = home / "portcall-has"
    python = home / "bin" / "python"
    if python.exists() and marker.exists() and marker.read_text() == wanted:
        return python
    progress("Making a Python for the Lambda functions")
    shutil.rmtree(home, ignore_errors=True)
    uv = str(Path(sys.executable).with_name("uv"))
    # With the hashes of the lock file, like all installed packages.
    locked = str(home / "requirements.txt")
    export = ["--quiet", "--frozen", "--only-group", "lambda-runtime", "--output-file", locked]
    install = ["--quiet", "--compile-bytecode", "--require-hashes", "--requirement", locked]
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(home)],
        [uv, "export", *export],
        [uv, "pip", "install", *install, "--python", str(python)],
    ):
        run(
            command,
            log=settings.logs / "lambda-python.log",
            environment=settings.process_environment(),
            folder=PROJECT,
            failed="The Python for the Lambda functions could not be made.",
        )
    marker.write_text(wanted)
    return python
