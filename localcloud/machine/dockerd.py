"""The dockerd that we start, if there is no other: how it starts, its process, and its files."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from localcloud.machine import debian, docker_hosts
from localcloud.machine.engine import Engine, EngineUnavailable
from localcloud.processes import Detached, reap

Progress = Callable[[str], None]

NO_NAT = "--iptables=false"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 40.0

# dockerd's messages when it cannot start, and the options with which it can.
_REMEDIES = (
    (("iptables", "ip6tables", "nat chain"), (NO_NAT, "--ip6tables=false"), "without its own firewall rules"),
    (("overlay", "graphdriver", "storage-driver"), ("--storage-driver=vfs",), "with a slower storage driver"),
)


def start(
    state_dir: Path, progress: Progress, *, host: str = docker_hosts.DEFAULT_HOST, options: Sequence[str] = ()
) -> Engine:
    """Start dockerd, detached, and wait until it answers. Raises EngineUnavailable with its last output."""
    log = log_of(state_dir)
    log.parent.mkdir(parents=True, exist_ok=True)
    used = [*options]
    progress("Starting Docker (dockerd)")
    for _ in range(1 + len(_REMEDIES)):
        said = _try_to_start(state_dir, host, used, log)
        if said is None:
            return Engine(host, docker_hosts.answer(host) or "", started_by_us=True)
        remedy = _remedy(said, used)
        if remedy is None:
            break
        progress(f"Starting Docker {remedy[1]}, as it could not start otherwise")
        used += remedy[0]
    raise EngineUnavailable(f"dockerd does not start: {gist(said or '')} Its log: {log}")


def stop(daemon: psutil.Process) -> None:
    """Stop it with its containerd."""
    processes = [daemon, *(child for child in daemon.children() if child.name() == "containerd")]
    _signal(daemon, "TERM")
    for process in _still_running(processes, within=STOP_TIMEOUT):
        _signal(process, "KILL")
    _still_running(processes, within=5)
    reap()


def _still_running(processes: Sequence[psutil.Process], within: float) -> list[psutil.Process]:
    """Those that do not end within so many seconds.

    One that has ended, and is a child of another process that never asks for it, stays a zombie: psutil's
    wait_procs would wait for it the whole time.
    """
    deadline = time.monotonic() + within
    while (running := [each for each in processes if _runs(each)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return running


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _try_to_start(state_dir: Path, host: str, options: Sequence[str], log: Path) -> str | None:
    """Start dockerd once. None if it answers, otherwise its output until it ended or the time was up."""
    root = debian.as_root() or []
    pid_file = pid_file_of(state_dir)
    pid_file.unlink(missing_ok=True)
    command = [*root, debian.which("dockerd") or "dockerd", "--host", host, "--pidfile", str(pid_file)]
    command += options
    note(log, f"$ {' '.join(command)}\n")
    with log.open("ab") as output:
        begin = output.tell()
        daemon = Detached(command, output=output, folder=Path("/"), environment=debian.environment())
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and daemon.poll() is None:
        _own(host, root)
        if docker_hosts.answer(host):
            return None
        time.sleep(0.2)
    if daemon.poll() is None:
        if mine := ours(state_dir):
            stop(mine)
        pid_file.unlink(missing_ok=True)
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
    complaint = gist(said).lower()
    for words, options, means in _REMEDIES:
        if any(word in complaint for word in words) and not set(options) & set(used):
            return options, means
    return None


def gist(said: str) -> str:
    """The reason of the failure: the output from the last "failed to" on, else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    begins = [number for number, line in enumerate(lines) if line.startswith(("failed to", "Failed to"))]
    text = " ".join(lines[begins[-1] if begins else -1 :])[:400] or "it says nothing."
    return text if text.endswith(".") else f"{text}."


def ours(state_dir: Path) -> psutil.Process | None:
    """The process in the pid file, if it still is the dockerd that we started with this file."""
    pid_file = pid_file_of(state_dir)
    pid = read_pid(pid_file)
    if pid is None or not is_dockerd(pid):
        return None
    try:
        process = psutil.Process(pid)
        return process if str(pid_file) in process.cmdline() else None
    except psutil.Error:
        return None


def is_dockerd(pid: int) -> bool:
    """Whether a process is a running dockerd."""
    try:
        process = psutil.Process(pid)
        return process.name() == "dockerd" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(process: psutil.Process, name: str) -> None:
    if process.is_running():
        subprocess.run([*(debian.as_root() or []), "kill", f"-{name}", str(process.pid)], capture_output=True)


def read_pid(pid_file: Path) -> int | None:
    """The process id in a file, None if there is none."""
    try:
        return int(pid_file.read_text())
    except (OSError, ValueError):
        return None


def pid_file_of(state_dir: Path) -> Path:
    """The file with the process id of the dockerd that we started."""
    return state_dir.resolve() / "dockerd.pid"


def log_of(state_dir: Path) -> Path:
    """The log of dockerd and of the installation of its packages."""
    return state_dir / "logs" / "docker.log"


def note(log: Path, text: str) -> None:
    """Append to the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as output:
        output.write(text)
