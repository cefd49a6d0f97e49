"""Finds the Docker engine, or installs and starts it if that is possible without asking."""

import contextlib
import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import docker
import psutil
from docker.errors import DockerException

from localcloud.machine import debian, docker_advice, docker_hosts, docker_packages, dockerd
from localcloud.machine.docker_advice import is_systemd
from localcloud.machine.docker_hosts import DEFAULT_HOST
from localcloud.machine.engine import Engine, EngineUnavailable

Progress = Callable[[str], None]

SYSTEM_PID_FILE = Path("/var/run/docker.pid")
# The command line of an embedded cloud's process.
SERVER = "localcloud.server"
BUSY_TIMEOUT = 15.0


def ensure_engine(state_dir: Path, progress: Progress) -> Engine:
    """Find a Docker engine; on Debian and Ubuntu, with root rights, install and start one if there is none.

    If it is not at the default socket, DOCKER_HOST of this process is set, for the Docker SDK and for programs
    that we start. Raises EngineUnavailable.
    """
    hosts = docker_hosts.hosts()
    for host in hosts:
        if version := docker_hosts.answer(host):
            if host != hosts[0] or host != DEFAULT_HOST:
                os.environ["DOCKER_HOST"] = host
            _ensure_cli(state_dir, progress)
            return Engine(host, version, dockerd.ours(state_dir) is not None)
    if named := os.environ.get("DOCKER_HOST"):
        raise EngineUnavailable(
            f"DOCKER_HOST is {named}, but no Docker engine answers there. Start it, or unset DOCKER_HOST."
        )
    if platform.system() != "Linux":
        raise EngineUnavailable(docker_advice.elsewhere())
    if docker_hosts.finding(DEFAULT_HOST) == "forbidden":
        raise EngineUnavailable(docker_advice.forbidden())
    return _bring_up(state_dir, progress)


def stop_engine(state_dir: Path, progress: Progress) -> None:
    """Stop the dockerd that ensure_engine started, with its containerd, unless another program uses it.

    Any other engine is not touched.
    """
    daemon = dockerd.ours(state_dir)
    if daemon is not None:
        if user := _other_user(state_dir):
            progress(
                f"Leaving Docker (dockerd, process {daemon.pid}) to {user}; `portcall down` stops it after that"
            )
            return
        progress(f"Stopping Docker (dockerd, process {daemon.pid})")
        dockerd.stop(daemon)
    dockerd.pid_file_of(state_dir).unlink(missing_ok=True)


def _other_user(state_dir: Path) -> str | None:
    """Who else uses the engine: another cloud, or a running container of another program."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if SERVER in words and "--state-dir" in words:
            other = Path(words[words.index("--state-dir") + 1])
            if other.resolve() != state_dir.resolve():
                return f"the cloud of {other}"
    with contextlib.suppress(DockerException), contextlib.closing(docker.from_env()) as engine:
        for container in engine.containers.list():
            return f"the container {container.name}"
    return None


def containers_reach_out(state_dir: Path) -> bool:
    """Whether containers on the default network can reach the internet."""
    daemon = dockerd.ours(state_dir)
    return daemon is None or dockerd.NO_NAT not in daemon.cmdline()


def _bring_up(state_dir: Path, progress: Progress) -> Engine:
    running = _system_daemon()
    if running is not None:
        return _wait_for_running(running, progress)
    root = debian.as_root()
    installed = debian.which("dockerd") is not None
    if root is None:
        raise EngineUnavailable(docker_advice.powerless(installed))
    if not installed:
        if not debian.is_debian():
            raise EngineUnavailable(
                "There is no Docker here. Install Docker Engine with your distribution's package manager, "
                "start it, then run this again."
            )
        debian.install(docker_packages.PACKAGES, log=dockerd.log_of(state_dir), progress=progress)
    _tidy(root, progress)
    if is_systemd():
        engine = _start_service(root, state_dir, progress)
    else:
        _ensure_cgroups(root)
        # Some packages start their daemon although there is no systemd.
        version = docker_hosts.answer(DEFAULT_HOST)
        engine = Engine(DEFAULT_HOST, version) if version else dockerd.start(state_dir, progress)
    if docker_hosts.hosts()[0] != DEFAULT_HOST:
        os.environ["DOCKER_HOST"] = DEFAULT_HOST
    _ensure_cli(state_dir, progress)
    return engine


def _system_daemon() -> int | None:
    """The process id of a dockerd that is not ours and should be answering, if there is one."""
    pid = dockerd.read_pid(SYSTEM_PID_FILE)
    return pid if pid is not None and dockerd.is_dockerd(pid) else None


def _wait_for_running(pid: int, progress: Progress) -> Engine:
    progress(f"Waiting for Docker (dockerd, process {pid}) to answer")
    deadline = time.monotonic() + BUSY_TIMEOUT
    while time.monotonic() < deadline:
        if version := docker_hosts.answer(DEFAULT_HOST):
            return Engine(DEFAULT_HOST, version)
        time.sleep(0.25)
    restart = "sudo systemctl restart docker" if is_systemd() else f"sudo kill {pid}"
    raise EngineUnavailable(
        f"dockerd runs (process {pid}) but does not answer at {DEFAULT_HOST}. "
        f"Restart it (`{restart}`), then run this again."
    )


def _tidy(root: list[str], progress: Progress) -> None:
    """Remove files that a killed daemon left behind, because a new one would fail on them."""
    if SYSTEM_PID_FILE.exists():
        progress(f"Removing {SYSTEM_PID_FILE}: the dockerd that it names is gone")
        subprocess.run([*root, "rm", "-f", str(SYSTEM_PID_FILE)], capture_output=True)
    if docker_hosts.finding(DEFAULT_HOST) == "deserted":
        progress("There is a Docker socket, but no daemon behind it")


def _ensure_cgroups(root: list[str]) -> None:
    """Mount the control groups if they are not mounted (without systemd), because dockerd needs them."""
    groups = Path("/sys/fs/cgroup")
    mounted = any(groups.glob("cgroup.procs")) or any(groups.glob("*/cgroup.procs"))
    if not mounted and debian.which("cgroupfs-mount"):
        subprocess.run([*root, "cgroupfs-mount"], capture_output=True, env=debian.environment())


def _start_service(root: list[str], state_dir: Path, progress: Progress) -> Engine:
    progress("Starting Docker (systemctl start docker)")
    done = subprocess.run([*root, "systemctl", "start", "docker"], capture_output=True, text=True)
    dockerd.note(dockerd.log_of(state_dir), done.stdout + done.stderr)
    deadline = time.monotonic() + (BUSY_TIMEOUT if done.returncode == 0 else 0)
    while True:
        if version := docker_hosts.answer(DEFAULT_HOST):
            return Engine(DEFAULT_HOST, version)
        if docker_hosts.finding(DEFAULT_HOST) == "forbidden":
            raise EngineUnavailable(docker_advice.forbidden())
        if time.monotonic() >= deadline:
            raise EngineUnavailable(
                f"Docker's service does not start: {dockerd.gist(done.stderr)} "
                f"See why with: sudo journalctl -u docker -n 30"
            )
        time.sleep(0.25)


def _ensure_cli(state_dir: Path, progress: Progress) -> None:
    """Install the command `docker` if it is missing: `docker build` and `docker push` need it."""
    if debian.which("docker"):
        return
    if debian.is_debian() and debian.as_root() is not None:
        package = "docker-cli" if debian.known("docker-cli") else "docker.io"
        debian.install([package], log=dockerd.log_of(state_dir), progress=progress)
    if not debian.which("docker"):
        raise EngineUnavailable(
            "A Docker engine runs, but the docker command is missing. Install it, then run this again."
        )
