"""The embedded cloud's connections to Docker, with a daemon that only counts them."""

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import urllib3
from docker.transport.unixconn import UnixHTTPAdapter
from ministack.services import ecs

from localcloud.options import Settings
from localcloud.patches.ecs import docker_client, task_exit

# More containers than docker-py has pools.
CONTAINERS = [f"container-{number}" for number in range(40)]


class Daemon(socketserver.ThreadingUnixStreamServer):
    """Answers each call, and counts its connections."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.connections = 0
        super().__init__(str(path), Answer)

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()[0], ("local", 0)


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"ApiVersion": "1.45", "Id": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "docker.sock") as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def client(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Iterator[docker.APIClient]:
    # The test gives it back.
    monkeypatch.setattr(UnixHTTPAdapter, "get_connection", UnixHTTPAdapter.get_connection)
    docker_client.prepare(
        Settings(
            port=1, account="123456789012", region="us-east-1", state_dir=Path("/nowhere"),
            lambda_python=Path("/nowhere"), root_secret="",
        )
    )  # fmt: skip
    made = docker.APIClient(base_url=f"unix://{daemon.server_address}", version="1.45")
    yield made
    made.close()


def test_a_call_goes_through_while_other_threads_ask_about_many_containers(client: docker.APIClient) -> None:
    adapter = client.get_adapter(client.base_url)
    # As far as a thread is that has its pool, but has not sent its call yet.
    pool = adapter.get_connection(f"{client.base_url}/containers/first/json")
    for name in CONTAINERS:
        client.inspect_container(name)
    assert pool.urlopen("GET", "/containers/first/json", timeout=urllib3.Timeout(30)).status == 200


def test_connections_are_used_again(client: docker.APIClient, daemon: Daemon) -> None:
    for name in CONTAINERS:
        client.inspect_container(name)
    assert daemon.connections == 1


class Engine:
    """Runs one container until `ended` is set."""

    def __init__(self) -> None:
        self.api = self.containers = self
        self.asked_to_wait, self.ended, self.looks = threading.Event(), threading.Event(), 0

    def wait(self, _name: str, timeout: float) -> None:
        self.asked_to_wait.set()
        self.ended.wait(timeout)

    def get(self, _name: str) -> Any:
        self.looks += 1
        self.attrs = {"State": {"Status": "exited" if self.ended.is_set() else "running", "ExitCode": 3}}
        return self


def test_a_running_container_is_not_asked_for_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, stopped = Engine(), threading.Event()
    task = {"taskArn": "arn:watched", "lastStatus": "RUNNING", "_docker_ids": ["c"], "containers": [{}]}
    monkeypatch.setattr(ecs, "_task_is_active", lambda arn, task: not stopped.is_set())
    monkeypatch.setattr(ecs, "_mark_task_stopped", lambda *arguments: stopped.set())
    watch = threading.Thread(target=task_exit._look, args=(None, task, engine), name="ministack-ecs-watch-arn")
    watch.start()
    assert engine.asked_to_wait.wait(30)
    # As ListTasks does.
    for _ in range(10):
        task_exit._look(lambda: None, task, engine)
    assert (engine.looks, stopped.is_set()) == (0, False)
    engine.ended.set()
    watch.join()
    assert stopped.is_set()
    assert task["containers"] == [{"lastStatus": "STOPPED", "exitCode": 3}]


def test_a_task_whose_container_has_ended_is_never_described_as_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Docker may have given its address to another container before the watching thread comes to it."""
    engine = Engine()
    engine.ended.set()
    task = {"taskArn": "arn:ended", "lastStatus": "RUNNING", "_docker_ids": ["c"], "containers": [{}]}

    def mark_stopped(_arn: str, task: dict[str, Any], *_why: str) -> bool:
        task["lastStatus"] = "STOPPED"
        return False

    monkeypatch.setattr(task_exit, "_watched", {"arn:ended"})
    monkeypatch.setattr(ecs, "_get_docker", lambda: engine)
    monkeypatch.setattr(ecs, "_resolve_cluster_name", lambda name: name)
    monkeypatch.setattr(ecs, "_resolve_task", lambda name, cluster: task)
    monkeypatch.setattr(ecs, "_task_is_active", lambda arn, task: True)
    monkeypatch.setattr(ecs, "_mark_task_stopped", mark_stopped)
    describe = task_exit._describe_as_docker_says
    assert describe(lambda data: task["lastStatus"], {"cluster": "c", "tasks": ["ended"]}) == "STOPPED"
