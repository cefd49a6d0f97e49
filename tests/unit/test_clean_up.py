"""A deleted stack leaves no task and no revision, and CloudFormation always gets its answer."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from deployer.aws import apigateway, ec2, ecr, ecs
from deployer.steps import clean_up

from tests.conftest import LambdaContext


@pytest.fixture
def cloudformation() -> Iterator[Any]:
    """A place that takes the answer: `.url`, and `.answers` afterwards."""
    answers: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answers.append((self.headers["Content-Type"], json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield type("Place", (), {"url": f"http://127.0.0.1:{server.server_port}/", "answers": answers})
    server.shutdown()
    server.server_close()


def request(kind: str, url: str) -> dict[str, Any]:
    names = {"StackId": "stack", "RequestId": "request", "LogicalResourceId": "CleanUp"}
    return {"RequestType": kind, "ResponseURL": url, **names}


@pytest.fixture
def cluster(monkeypatch):
    """A cluster with two tasks, one of which needs a second look to be gone, and three revisions."""
    looks = iter([["one", "two"], ["two"], []])
    done: dict[str, list[str]] = {
        "stopped": [],
        "deregistered": [],
        "deleted": [],
        "repositories": [],
        "addresses": [],
    }
    monkeypatch.setattr(clean_up, "LOOK_EVERY", 0)
    monkeypatch.setattr(ecs, "tasks_in", lambda *, cluster: next(looks))
    monkeypatch.setattr(ecs, "stop_task", lambda *, cluster, task, reason: done["stopped"].append(task))
    monkeypatch.setattr(ecr, "repositories_of", lambda *, stack: ["team/made-on-push"])
    monkeypatch.setattr(ecr, "delete_repository", done["repositories"].append)
    monkeypatch.setattr(apigateway, "addresses_of", lambda *, stack: {"api-1": "flask-app"})
    monkeypatch.setattr(apigateway, "close_address", done["addresses"].append)
    used = iter([False, True])
    monkeypatch.setattr(ec2, "groups_of", lambda *, stack: [ec2.Group("sg-1", "", "")])
    monkeypatch.setattr(ec2, "delete_group", lambda group: next(used))
    monkeypatch.setattr(ecs, "revisions_of", lambda *, family_prefix: [f"{family_prefix}{n}" for n in range(3)])
    monkeypatch.setattr(ecs, "deregister_task_definition", done["deregistered"].append)
    monkeypatch.setattr(ecs, "delete_task_definitions", done["deleted"].extend)
    return done


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_touches_nothing_while_the_stack_lives(cloudformation, cluster, kind):
    clean_up.handler(request(kind, cloudformation.url), LambdaContext())
    assert not any(cluster.values())
    ((_, answer),) = cloudformation.answers
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == "CleanUp"


def test_stops_every_task_and_waits_until_it_is_gone(cloudformation, cluster):
    clean_up.handler(request("Delete", cloudformation.url), LambdaContext())
    assert cluster["stopped"] == ["one", "two", "two"]
    revisions = ["portcall_0", "portcall_1", "portcall_2"]
    assert cluster["deregistered"] == cluster["deleted"] == revisions
    assert cluster["repositories"] == ["team/made-on-push"]
    assert cluster["addresses"] == ["api-1"]
    ((content_type, answer),) = cloudformation.answers
    assert answer["Status"] == "SUCCESS"
    assert content_type == ""


def test_a_failure_is_answered_too(cloudformation, cluster, monkeypatch):
    def refuse(**_: object) -> None:
        raise PermissionError("not allowed")

    monkeypatch.setattr(ecs, "tasks_in", refuse)
    clean_up.handler(request("Delete", cloudformation.url), LambdaContext())
    ((_, answer),) = cloudformation.answers
    assert answer["Status"] == "FAILED"
    assert "not allowed" in answer["Reason"]
