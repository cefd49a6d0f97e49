"""Which Docker engine is used, when one is installed or started, and the message if there is none."""

import grp
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import psutil
import pytest

from localcloud.machine import debian, docker_advice, docker_engine, docker_hosts, dockerd
from localcloud.machine.docker_engine import ensure_engine, stop_engine
from localcloud.machine.docker_hosts import DEFAULT_HOST
from localcloud.machine.engine import Engine, EngineUnavailable


@dataclass
class Machine:
    """A machine without Docker, as the module sees it; tests change what they are about."""

    system: str = "Linux"
    apt: bool = True
    root: list[str] | None = field(default_factory=list)
    programs: set[str] = field(default_factory=lambda: {"docker", "dockerd"})
    answering: set[str] = field(default_factory=set)
    finding: str = "absent"
    systemd: bool = False
    running: int | None = None
    context: str | None = None
    # What dockerd says at each start before it ends; the start after the last one works.
    deaths: list[str] = field(default_factory=list)
    starts: list[tuple[str, ...]] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)
    installed: list[tuple[str, ...]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def install(self, packages: Sequence[str], **_: Any) -> None:
        self.installed.append(tuple(packages))
        self.programs |= {"dockerd", "docker"}

    def try_to_start(self, _state_dir: Path, host: str, options: Sequence[str], _log: Path) -> str | None:
        self.starts.append(tuple(options))
        if len(self.starts) <= len(self.deaths):
            return self.deaths[len(self.starts) - 1]
        self.answering.add(host)
        return None

    def run(self, command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        self.commands.append(command)
        if command[-3:] == ["systemctl", "start", "docker"]:
            self.answering.add(DEFAULT_HOST)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    it = Machine()
    # Set and deleted, so that what the code puts there is gone after the test.
    monkeypatch.setenv("DOCKER_HOST", "")
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(docker_engine, "SYSTEM_PID_FILE", tmp_path / "docker.pid")
    monkeypatch.setattr(docker_engine, "BUSY_TIMEOUT", 0.0)
    monkeypatch.setattr(docker_hosts, "answer", lambda host: "28.0" if host in it.answering else None)
    monkeypatch.setattr(docker_hosts, "finding", lambda _: it.finding)
    monkeypatch.setattr(docker_hosts, "_context_host", lambda: it.context)
    monkeypatch.setattr(docker_engine, "_system_daemon", lambda: it.running)
    monkeypatch.setattr(docker_engine, "is_systemd", lambda: it.systemd)
    monkeypatch.setattr(docker_advice, "is_systemd", lambda: it.systemd)
    monkeypatch.setattr(docker_engine, "_ensure_cgroups", lambda _: None)
    monkeypatch.setattr(dockerd, "_try_to_start", it.try_to_start)
    monkeypatch.setattr(platform, "system", lambda: it.system)
    monkeypatch.setattr(shutil, "which", lambda name, **_: name if name in it.programs else None)
    monkeypatch.setattr(subprocess, "run", it.run)
    monkeypatch.setattr(debian, "is_debian", lambda: it.apt)
    monkeypatch.setattr(debian, "as_root", lambda: it.root)
    monkeypatch.setattr(debian, "user", lambda: "ada")
    monkeypatch.setattr(debian, "known", lambda _: True)
    monkeypatch.setattr(debian, "install", it.install)
    return it


def ensure(machine: Machine, state_dir: Path) -> Engine:
    return ensure_engine(state_dir, machine.said.append)


def test_uses_the_engine_that_answers(machine: Machine, tmp_path: Path) -> None:
    machine.answering = {DEFAULT_HOST}
    assert ensure(machine, tmp_path) == Engine(DEFAULT_HOST, "28.0")
    assert (machine.starts, machine.installed, machine.said) == ([], [], [])
    assert "DOCKER_HOST" not in os.environ


def test_asks_where_docker_host_points_and_nowhere_else(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.7:2375")
    machine.answering = {DEFAULT_HOST}
    with pytest.raises(EngineUnavailable, match=r"DOCKER_HOST is tcp://10\.0\.0\.7:2375"):
        ensure(machine, tmp_path)
    assert machine.starts == []


def test_points_docker_host_at_the_engine_of_the_current_context(machine: Machine, tmp_path: Path) -> None:
    machine.context = "unix:///Users/ada/.colima/default/docker.sock"
    machine.answering = {machine.context}
    assert ensure(machine, tmp_path).host == machine.context
    assert os.environ["DOCKER_HOST"] == machine.context


def test_points_docker_host_at_the_default_when_the_context_is_silent(machine: Machine, tmp_path: Path) -> None:
    machine.context = "unix:///Users/ada/.docker/run/docker.sock"
    machine.answering = {DEFAULT_HOST}
    assert ensure(machine, tmp_path).host == DEFAULT_HOST
    assert os.environ["DOCKER_HOST"] == DEFAULT_HOST


def test_installs_and_starts_docker_as_root_on_debian(machine: Machine, tmp_path: Path) -> None:
    machine.programs.clear()
    assert ensure(machine, tmp_path).started_by_us
    assert machine.installed[0][:2] == ("docker.io", "docker-cli")
    assert machine.starts == [()]


def test_installs_only_what_is_missing(machine: Machine, tmp_path: Path) -> None:
    machine.programs = {"dockerd"}
    ensure(machine, tmp_path)
    assert machine.installed == [("docker-cli",)]


def test_lets_systemd_start_docker_where_it_rules(machine: Machine, tmp_path: Path) -> None:
    machine.systemd = True
    machine.root = ["sudo", "-n"]
    assert not ensure(machine, tmp_path).started_by_us
    assert ["sudo", "-n", "systemctl", "start", "docker"] in machine.commands
    assert machine.starts == []


def test_says_what_to_run_when_neither_root_nor_installed(machine: Machine, tmp_path: Path) -> None:
    machine.root = None
    machine.programs.clear()
    with pytest.raises(EngineUnavailable, match=r"sudo apt-get install docker\.io.*usermod -aG docker ada"):
        ensure(machine, tmp_path)
    assert machine.installed == []


def test_says_how_to_start_what_is_installed_when_not_root(machine: Machine, tmp_path: Path) -> None:
    machine.root = None
    machine.systemd = True
    machine.finding = "deserted"
    with pytest.raises(EngineUnavailable, match=r"no daemon behind it.*sudo systemctl start docker"):
        ensure(machine, tmp_path)


def test_says_how_to_join_the_group_when_the_socket_is_forbidden(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.finding = "forbidden"
    monkeypatch.setattr(grp, "getgrnam", lambda _: _group([]))
    with pytest.raises(EngineUnavailable, match="sudo usermod -aG docker ada"):
        ensure(machine, tmp_path)
    monkeypatch.setattr(grp, "getgrnam", lambda _: _group(["ada"]))
    with pytest.raises(EngineUnavailable, match="this shell does not know it yet"):
        ensure(machine, tmp_path)
    assert machine.starts == []


def _group(members: list[str]) -> Any:
    return grp.struct_group(("docker", "x", 999, members))


def test_says_so_when_the_started_service_may_not_be_used(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.systemd = True
    machine.root = ["sudo", "-n"]
    findings = iter(["absent", "absent", "forbidden"])
    monkeypatch.setattr(docker_hosts, "finding", lambda _: next(findings))
    monkeypatch.setattr(docker_hosts, "answer", lambda _: None)
    with pytest.raises(EngineUnavailable, match="you have no permission to use its socket"):
        ensure(machine, tmp_path)


def test_asks_for_docker_desktop_on_a_mac(machine: Machine, tmp_path: Path) -> None:
    machine.system = "Darwin"
    with pytest.raises(EngineUnavailable, match=r"^No Docker engine answers\. Start Docker Desktop"):
        ensure(machine, tmp_path)
    machine.programs.clear()
    with pytest.raises(EngineUnavailable, match=r"^There is no Docker here\. Install Docker Desktop"):
        ensure(machine, tmp_path)


def test_does_not_install_on_a_distribution_without_apt(machine: Machine, tmp_path: Path) -> None:
    machine.apt = False
    machine.programs.clear()
    with pytest.raises(EngineUnavailable, match="your distribution's package manager"):
        ensure(machine, tmp_path)


def test_starts_no_second_daemon_beside_one_that_does_not_answer(machine: Machine, tmp_path: Path) -> None:
    machine.running = 4711
    with pytest.raises(EngineUnavailable, match=r"dockerd runs \(process 4711\) but does not answer"):
        ensure(machine, tmp_path)
    assert machine.starts == []


def test_removes_a_stale_pid_file_before_starting(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "docker.pid").write_text("4711")
    ensure(machine, tmp_path)
    assert ["rm", "-f", str(tmp_path / "docker.pid")] in machine.commands


def test_prints_the_last_words_of_a_daemon_that_dies(machine: Machine, tmp_path: Path) -> None:
    machine.deaths = ["level=info msg=starting\nfailed to start daemon: no space left\non device\n"]
    with pytest.raises(EngineUnavailable) as caught:
        ensure(machine, tmp_path)
    assert "failed to start daemon: no space left on device." in str(caught.value)
    assert str(tmp_path / "logs" / "docker.log") in str(caught.value)
    assert machine.starts == [()]


def test_starts_without_firewall_rules_or_overlay_where_those_fail(machine: Machine, tmp_path: Path) -> None:
    machine.deaths = [
        "failed to start daemon: Error initializing network controller: iptables failed:\n (exit status 4)\n",
        "failed to start daemon: error initializing graphdriver: overlay2: not permitted\n",
    ]
    ensure(machine, tmp_path)
    firewall = ("--iptables=false", "--ip6tables=false")
    assert machine.starts == [(), firewall, (*firewall, "--storage-driver=vfs")]


def test_does_not_try_the_same_remedy_twice(machine: Machine, tmp_path: Path) -> None:
    machine.deaths = ["failed to start daemon: iptables failed"] * 9
    with pytest.raises(EngineUnavailable):
        ensure(machine, tmp_path)
    assert len(machine.starts) == 2


def test_a_missing_command_is_reported_when_it_cannot_be_installed(machine: Machine, tmp_path: Path) -> None:
    machine.answering = {DEFAULT_HOST}
    machine.programs.clear()
    machine.apt = False
    with pytest.raises(EngineUnavailable, match="the docker command is missing"):
        ensure(machine, tmp_path)


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "dockerd.pid"]) as process:
        yield process
        process.kill()


def test_stops_nothing_when_nothing_was_started(tmp_path: Path) -> None:
    said: list[str] = []
    stop_engine(tmp_path, said.append)
    assert said == []


def test_does_not_stop_a_stranger_that_got_the_noted_process_id(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]"
) -> None:
    (tmp_path / "dockerd.pid").write_text(str(sleeper.pid))
    stop_engine(tmp_path, lambda _: None)
    assert sleeper.poll() is None
    assert not (tmp_path / "dockerd.pid").exists()


def test_does_not_stop_a_dockerd_that_someone_else_started(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil.Process, "name", lambda _: "dockerd")
    (tmp_path / "dockerd.pid").write_text(str(sleeper.pid))
    stop_engine(tmp_path, lambda _: None)
    assert sleeper.poll() is None


def test_stops_the_dockerd_that_was_started_with_our_pid_file(
    tmp_path: Path, sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil.Process, "name", lambda _: "dockerd")
    monkeypatch.setattr(psutil.Process, "cmdline", lambda _: ["dockerd", str(tmp_path / "dockerd.pid")])
    monkeypatch.setattr(debian, "as_root", lambda: [])
    users = iter(["the cloud of /other/.portcall", None])
    monkeypatch.setattr(docker_engine, "_other_user", lambda _: next(users))
    (tmp_path / "dockerd.pid").write_text(str(sleeper.pid))
    said: list[str] = []
    stop_engine(tmp_path, said.append)
    assert said[0].startswith(
        f"Leaving Docker (dockerd, process {sleeper.pid}) to the cloud of /other/.portcall;"
    )
    assert psutil.pid_exists(sleeper.pid)
    said.clear()
    stop_engine(tmp_path, said.append)
    assert said == [f"Stopping Docker (dockerd, process {sleeper.pid})"]
    assert sleeper.wait() == -signal.SIGTERM


def test_does_not_wait_for_a_dockerd_that_has_ended_and_whose_parent_never_asks_for_it() -> None:
    command = ["sh", "-c", "sleep 60 & echo $!; exec sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        daemon = psutil.Process(int(parent.stdout.readline()))
        dockerd.stop(daemon)
        assert dockerd._still_running([daemon], within=float("inf")) == []
        assert psutil.pid_exists(daemon.pid)
        parent.kill()


def test_the_cloud_of_another_folder_and_a_container_that_runs_use_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    containers: list[Any] = []
    engine = SimpleNamespace(containers=SimpleNamespace(list=lambda: containers), close=lambda: None)
    monkeypatch.setattr(docker, "from_env", lambda: engine)
    processes: list[Any] = [SimpleNamespace(info={"cmdline": None})]
    monkeypatch.setattr(psutil, "process_iter", lambda _: processes)
    command = ["python", "-m", docker_engine.SERVER, "--port", "4566", "--state-dir"]
    processes.append(SimpleNamespace(info={"cmdline": [*command, str(tmp_path)]}))
    assert docker_engine._other_user(tmp_path) is None
    containers.append(SimpleNamespace(name="database"))
    assert docker_engine._other_user(tmp_path) == "the container database"
    processes.append(SimpleNamespace(info={"cmdline": [*command, str(tmp_path / "other")]}))
    assert docker_engine._other_user(tmp_path) == f"the cloud of {tmp_path / 'other'}"


def test_the_socket_is_given_to_this_user_and_to_no_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's group may be everybody's (`users`), and who may use the socket is root."""
    commands: list[list[str]] = []
    started: list[list[str]] = []

    class Daemon:
        returncode = None

        def __init__(self, command: list[str], **_: Any) -> None:
            started.append(command)

        def poll(self) -> None:
            return None

    host = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(host))
        monkeypatch.setattr(dockerd, "Detached", Daemon)
        monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command))
        monkeypatch.setattr(debian, "as_root", lambda: ["sudo", "-n"])
        monkeypatch.setattr(debian, "is_root", lambda: False)
        monkeypatch.setattr(os, "getuid", lambda: 4711)
        monkeypatch.setattr(docker_hosts, "answer", lambda _: "28.0")
        (tmp_path / "logs").mkdir()
        log = tmp_path / "logs" / "docker.log"
        assert dockerd._try_to_start(tmp_path, f"unix://{host}", [], log) is None
    assert "--group" not in started[0]
    assert commands == [["sudo", "-n", "chown", "4711", str(host)]]
