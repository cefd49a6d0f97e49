"""Finds the Docker engine, or installs and starts it if that is possible without asking."""

import contextlib
import grp
import json
import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
import psutil
import requests
from docker.errors import DockerException

from localcloud.machine import debian
from localcloud.processes import CloudError

Progress = Callable[[str], None]

DEFAULT_HOST = "unix:///var/run/docker.sock"
SYSTEM_PID_FILE = Path("/var/run/docker.pid")
# The command line of an embedded cloud's process.
SERVER = "localcloud.server"
NO_NAT = "--iptables=false"
ANSWER_TIMEOUT = 5
START_TIMEOUT = 60.0
BUSY_TIMEOUT = 15.0
STOP_TIMEOUT = 40.0

# Newer Debian releases have the command line in a package of its own. Without systemd, cgroupfs-mount is
# needed.
_PACKAGES = ("docker.io", "docker-cli", "iptables", "ca-certificates", "cgroupfs-mount")

# dockerd's messages when it cannot start, and the options with which it can.
_REMEDIES = (
    (("iptables", "ip6tables", "nat chain"), (NO_NAT, "--ip6tables=false"), "without its own firewall rules"),
    (("overlay", "graphdriver", "storage-driver"), ("--storage-driver=vfs",), "with a slower storage driver"),
)
# Kept, because a Popen that is thrown away warns about the process that it leaves running.
_started: list["subprocess.Popen[bytes]"] = []


class EngineUnavailable(CloudError):
    """No Docker engine answers and none could be started; the message says what to do."""


@dataclass(frozen=True)
class Engine:
    """A Docker engine that answers. `host` is what DOCKER_HOST would say."""

    host: str
    version: str
    started_by_us: bool = False


def ensure_engine(state_dir: Path, progress: Progress) -> Engine:
    """Find a Docker engine; on Debian and Ubuntu, with root rights, install and start one if there is none.

    If it is not at the default socket, DOCKER_HOST of this process is set, for the Docker SDK and for programs
    that we start. Raises EngineUnavailable.
    """
    hosts = _hosts()
    for host in hosts:
        if version := _answer(host):
            if host != hosts[0] or host != DEFAULT_HOST:
                os.environ["DOCKER_HOST"] = host
            _ensure_cli(state_dir, progress)
            return Engine(host, version, _our_daemon(state_dir) is not None)
    if named := os.environ.get("DOCKER_HOST"):
        raise EngineUnavailable(
            f"DOCKER_HOST is {named}, but no Docker engine answers there. Start it, or unset DOCKER_HOST."
        )
    if platform.system() != "Linux":
        raise EngineUnavailable(_elsewhere())
    if _finding(DEFAULT_HOST) == "forbidden":
        raise EngineUnavailable(_forbidden())
    return _bring_up(state_dir, progress)


def stop_engine(state_dir: Path, progress: Progress) -> None:
    """Stop the dockerd that ensure_engine started, with its containerd, unless another program uses it.

    Any other engine is not touched.
    """
    daemon = _our_daemon(state_dir)
    if daemon is not None:
        if user := _other_user(state_dir):
            progress(
                f"Leaving Docker (dockerd, process {daemon.pid}) to {user}; `portcall down` stops it after that"
            )
            return
        progress(f"Stopping Docker (dockerd, process {daemon.pid})")
        processes = [daemon, *(child for child in daemon.children() if child.name() == "containerd")]
        _signal(daemon, "TERM")
        _, alive = psutil.wait_procs(processes, timeout=STOP_TIMEOUT)
        for process in alive:
            _signal(process, "KILL")
        psutil.wait_procs(alive, timeout=5)
    _pid_file(state_dir).unlink(missing_ok=True)


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
    daemon = _our_daemon(state_dir)
    return daemon is None or NO_NAT not in daemon.cmdline()


def start_daemon(
    state_dir: Path, progress: Progress, *, host: str = DEFAULT_HOST, options: Sequence[str] = ()
) -> Engine:
    """Start dockerd, detached, and wait until it answers. Raises EngineUnavailable with its last output."""
    log = _log(state_dir)
    log.parent.mkdir(parents=True, exist_ok=True)
    used = [*options]
    progress("Starting Docker (dockerd)")
    for _ in range(1 + len(_REMEDIES)):
        said = _try_to_start(state_dir, host, used, log)
        if said is None:
            return Engine(host, _answer(host) or "", started_by_us=True)
        remedy = _remedy(said, used)
        if remedy is None:
            break
        progress(f"Starting Docker {remedy[1]}, as it could not start otherwise")
        used += remedy[0]
    raise EngineUnavailable(f"dockerd does not start: {_gist(said or '')} Its whole log: {log}")


def _hosts() -> list[str]:
    """The hosts at which an engine may be, in the order to try; never empty."""
    if named := os.environ.get("DOCKER_HOST"):
        return [named]
    home = Path.home()
    sockets = [
        Path(os.environ.get("XDG_RUNTIME_DIR", "/run/user/none")) / "docker.sock",
        home / ".docker/run/docker.sock",
        home / ".colima/default/docker.sock",
        home / ".orbstack/run/docker.sock",
    ]
    found = [f"unix://{path}" for path in sockets if path.exists()]
    context = _context_host()
    return list(dict.fromkeys([*([context] if context else []), DEFAULT_HOST, *found]))


def _context_host() -> str | None:
    """The socket of the command line's current context; one on another machine cannot reach our registry."""
    cli = shutil.which("docker")
    if cli is None:
        return None
    try:
        asked = subprocess.run([cli, "context", "inspect"], capture_output=True, timeout=ANSWER_TIMEOUT)
        host = str(json.loads(asked.stdout)[0]["Endpoints"]["docker"]["Host"])
    except (OSError, subprocess.TimeoutExpired, ValueError, LookupError, TypeError):
        return None
    return host if host.startswith(("unix://", "npipe://")) else None


def _answer(host: str) -> str | None:
    """The version of the engine at `host`, or None if nothing there answers."""
    # The SDK does not close a socket that it could not connect.
    if host.startswith("unix://") and _finding(host) != "mute":
        return None
    environment = {**os.environ, "DOCKER_HOST": host}
    try:
        client = docker.from_env(environment=environment, timeout=ANSWER_TIMEOUT)
        try:
            client.ping()
            return str(client.version()["Version"])
        finally:
            client.close()
    except (DockerException, requests.RequestException, OSError, ValueError, ImportError, KeyError):
        return None


def _finding(host: str) -> str:
    """What is wrong with a local socket: missing, no permission, nothing listens, or no answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(ANSWER_TIMEOUT)
        try:
            probe.connect(host.removeprefix("unix://"))
        except PermissionError:
            return "forbidden"
        except FileNotFoundError:
            return "absent"
        except ConnectionRefusedError:
            return "deserted"
        except OSError:
            return "mute"
    return "mute"


def _bring_up(state_dir: Path, progress: Progress) -> Engine:
    running = _system_daemon()
    if running is not None:
        return _wait_for_running(running, progress)
    root = debian.as_root()
    installed = debian.which("dockerd") is not None
    if root is None:
        raise EngineUnavailable(_powerless(installed))
    if not installed:
        if not debian.is_debian():
            raise EngineUnavailable(
                "There is no Docker here. Install Docker Engine with your distribution's package manager, "
                "start it, then run this again."
            )
        debian.install(_PACKAGES, log=_log(state_dir), progress=progress)
    _tidy(root, progress)
    if _systemd():
        engine = _start_service(root, state_dir, progress)
    else:
        _ensure_cgroups(root)
        # Some packages start their daemon although there is no systemd.
        version = _answer(DEFAULT_HOST)
        engine = Engine(DEFAULT_HOST, version) if version else start_daemon(state_dir, progress)
    if _hosts()[0] != DEFAULT_HOST:
        os.environ["DOCKER_HOST"] = DEFAULT_HOST
    _ensure_cli(state_dir, progress)
    return engine


def _system_daemon() -> int | None:
    """The process id of a dockerd that is not ours and should be answering, if there is one."""
    pid = _read_pid(SYSTEM_PID_FILE)
    return pid if pid is not None and _is_dockerd(pid) else None


def _wait_for_running(pid: int, progress: Progress) -> Engine:
    progress(f"Waiting for Docker (dockerd, process {pid}) to answer")
    deadline = time.monotonic() + BUSY_TIMEOUT
    while time.monotonic() < deadline:
        if version := _answer(DEFAULT_HOST):
            return Engine(DEFAULT_HOST, version)
        time.sleep(0.25)
    restart = "sudo systemctl restart docker" if _systemd() else f"sudo kill {pid}"
    raise EngineUnavailable(
        f"dockerd runs (process {pid}) but does not answer at {DEFAULT_HOST}. "
        f"Restart it (`{restart}`), then run this again."
    )


def _tidy(root: list[str], progress: Progress) -> None:
    """Remove files that a killed daemon left behind, because a new one would fail on them."""
    if SYSTEM_PID_FILE.exists():
        progress(f"Removing {SYSTEM_PID_FILE}: the dockerd that it names is gone")
        subprocess.run([*root, "rm", "-f", str(SYSTEM_PID_FILE)], capture_output=True)
    if _finding(DEFAULT_HOST) == "deserted":
        progress("There is a Docker socket, but no daemon behind it")


def _ensure_cgroups(root: list[str]) -> None:
    """Mount the control groups if they are not mounted (without systemd), because dockerd needs them."""
    groups = Path("/sys/fs/cgroup")
    mounted = any(groups.glob("cgroup.procs")) or any(groups.glob("*/cgroup.procs"))
    if not mounted and debian.which("cgroupfs-mount"):
        subprocess.run([*root, "cgroupfs-mount"], capture_output=True, env=debian.environment())


def _systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def _start_service(root: list[str], state_dir: Path, progress: Progress) -> Engine:
    progress("Starting Docker (systemctl start docker)")
    done = subprocess.run([*root, "systemctl", "start", "docker"], capture_output=True, text=True)
    _note(_log(state_dir), done.stdout + done.stderr)
    deadline = time.monotonic() + (BUSY_TIMEOUT if done.returncode == 0 else 0)
    while True:
        if version := _answer(DEFAULT_HOST):
            return Engine(DEFAULT_HOST, version)
        if _finding(DEFAULT_HOST) == "forbidden":
            raise EngineUnavailable(_forbidden())
        if time.monotonic() >= deadline:
            raise EngineUnavailable(
                f"Docker's service does not start: {_gist(done.stderr)} "
                f"See why with: sudo journalctl -u docker -n 30"
            )
        time.sleep(0.25)


def _try_to_start(state_dir: Path, host: str, options: Sequence[str], log: Path) -> str | None:
    """Start dockerd once. None if it answers, otherwise its output until it ended or the time was up."""
    root = debian.as_root() or []
    pid_file = _pid_file(state_dir)
    pid_file.unlink(missing_ok=True)
    command = [*root, debian.which("dockerd") or "dockerd", "--host", host, "--pidfile", str(pid_file)]
    command += options
    _note(log, f"$ {' '.join(command)}\n")
    with log.open("ab") as output:
        begin = output.tell()
        daemon = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=debian.environment(),
            cwd="/",
            start_new_session=True,
        )
    _started.append(daemon)
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and daemon.poll() is None:
        _own(host, root)
        if _answer(host):
            return None
        time.sleep(0.2)
    if daemon.poll() is None:
        stop_engine(state_dir, lambda _: None)
        return f"it did not answer at {host} within {START_TIMEOUT:.0f} seconds."
    return log.read_bytes()[begin:].decode("utf-8", "replace")


def _own(host: str, root: Sequence[str]) -> None:
    """Give the daemon's socket to this user, who has root rights anyway through `sudo`.

    Not to a group: everybody may be in this user's group.
    """
    path = Path(host.removeprefix("unix://"))
    if root and path.is_socket() and path.stat().st_uid != os.getuid():
        subprocess.run([*root, "chown", str(os.getuid()), str(path)], capture_output=True)


def _remedy(said: str, used: Sequence[str]) -> tuple[tuple[str, ...], str] | None:
    complaint = _gist(said).lower()
    for words, options, means in _REMEDIES:
        if any(word in complaint for word in words) and not set(options) & set(used):
            return options, means
    return None


def _gist(said: str) -> str:
    """The reason of the failure: the output from the last "failed to" on, else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    begins = [number for number, line in enumerate(lines) if line.startswith(("failed to", "Failed to"))]
    gist = " ".join(lines[begins[-1] if begins else -1 :])[:400] or "it says nothing."
    return gist if gist.endswith(".") else f"{gist}."


def _ensure_cli(state_dir: Path, progress: Progress) -> None:
    """Install the command `docker` if it is missing: `docker build` and `docker push` need it."""
    if debian.which("docker"):
        return
    if debian.is_debian() and debian.as_root() is not None:
        package = "docker-cli" if debian.known("docker-cli") else "docker.io"
        debian.install([package], log=_log(state_dir), progress=progress)
    if not debian.which("docker"):
        raise EngineUnavailable(
            "A Docker engine runs, but the docker command is missing. Install it, then run this again."
        )


def _our_daemon(state_dir: Path) -> psutil.Process | None:
    """The process in the pid file, if it still is the dockerd that we started with this file."""
    pid_file = _pid_file(state_dir)
    pid = _read_pid(pid_file)
    if pid is None or not _is_dockerd(pid):
        return None
    try:
        process = psutil.Process(pid)
        return process if str(pid_file) in process.cmdline() else None
    except psutil.Error:
        return None


def _is_dockerd(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.name() == "dockerd" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(process: psutil.Process, name: str) -> None:
    if process.is_running():
        subprocess.run([*(debian.as_root() or []), "kill", f"-{name}", str(process.pid)], capture_output=True)


def _read_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text())
    except (OSError, ValueError):
        return None


def _pid_file(state_dir: Path) -> Path:
    return state_dir.resolve() / "dockerd.pid"


def _log(state_dir: Path) -> Path:
    return state_dir / "logs" / "docker.log"


def _note(log: Path, text: str) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as output:
        output.write(text)


def _elsewhere() -> str:
    if platform.system() == "Windows":
        return "No Docker engine answers. Run Portcall inside WSL 2, or start Docker Desktop, then try again."
    docker_desktop = "Docker Desktop (or colima, OrbStack)"
    if shutil.which("docker"):
        return f"No Docker engine answers. Start {docker_desktop}, then run this again."
    return f"There is no Docker here. Install {docker_desktop}, start it, then run this again."


def _forbidden() -> str:
    name = debian.user()
    try:
        member = name in grp.getgrnam("docker").gr_mem
    except KeyError:
        member = False
    if member:
        return (
            "Docker runs, and you are in the docker group, but this shell does not know it yet. "
            "Log out and in again (or run `newgrp docker`), then run this again."
        )
    return (
        f"Docker runs, but you may not use its socket. Run `sudo usermod -aG docker {name}`, "
        f"log out and in again (or run `newgrp docker`), then run this again."
    )


def _powerless(installed: bool) -> str:
    start = "sudo systemctl start docker" if _systemd() else "sudo dockerd"
    if installed:
        deserted = _finding(DEFAULT_HOST) == "deserted"
        where = " There is a socket, but no daemon behind it." if deserted else ""
        return (
            f"Docker is installed, but does not run.{where} Starting it needs root: "
            f"`{start}`, then run this again."
        )
    if debian.is_debian():
        return (
            "There is no Docker here, and installing it needs root. Run `sudo apt-get install docker.io` and "
            f"`sudo usermod -aG docker {debian.user()}`, log out and in again, then run this again."
        )
    return "There is no Docker here. Install Docker Engine and start it, then run this again."
