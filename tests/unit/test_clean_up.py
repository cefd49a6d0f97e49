"""CleanUp leaves no task and no revision, and CloudFormation always gets an answer."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from deployer.aws import apigateway, ec2, ecr, ecs
from deployer.domain.errors import ThrottledError
from deployer.events import clean_up

from tests.conftest import LambdaContext
from tests.unit.test_workflow_contract import TEMPLATE


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


class Cluster:
    """A cluster with two tasks, one of which needs a while to be gone, and some revisions."""

    def __init__(self) -> None:
        self.looks = iter([["one", "two"], ["two"], ["two"]])
        self.active = [f"portcall_app:{number}" for number in range(25)]
        self.inactive = ["portcall_app:left"]
        self.stopped: list[str] = []
        self.deleted: list[str] = []
        self.removed: list[str] = []
        self.in_use = 0
        self.throttles = 0
        self.calls = 0

    def tasks_in(self, **_: object) -> list[str]:
        return next(self.looks, [])

    def stop_task(self, *, task: str, **_: object) -> None:
        self.stopped.append(task)

    def delete_group(self, group: str) -> bool:
        if self.in_use:
            self.in_use -= 1
            return False
        self.removed.append(group)
        return True

    def revisions_of(self, *, family_prefix: str, status: str) -> list[str]:
        assert family_prefix == "portcall_"
        return list(self.active if status == "ACTIVE" else self.inactive)

    def deregister_task_definition(self, revision: str) -> None:
        self.calls += 1
        if self.throttles:
            self.throttles -= 1
            raise ThrottledError("Rate exceeded")
        self.active.remove(revision)
        self.inactive.append(revision)

    def delete_task_definitions(self, revisions: list[str]) -> list[str]:
        assert 0 < len(revisions) <= 10
        assert set(revisions) <= set(self.inactive)
        self.inactive = [each for each in self.inactive if each not in revisions]
        self.deleted += revisions
        return []


@pytest.fixture
def cluster(monkeypatch) -> Cluster:
    cluster = Cluster()
    monkeypatch.setattr(clean_up, "POLL_SECONDS", 0)
    monkeypatch.setattr(clean_up, "RETRY_PAUSE_SECONDS", 0)
    for name in (
        "tasks_in",
        "stop_task",
        "revisions_of",
        "deregister_task_definition",
        "delete_task_definitions",
    ):
        monkeypatch.setattr(ecs, name, getattr(cluster, name))
    monkeypatch.setattr(ec2, "groups_of", lambda *, stack: [ec2.Group("sg-1", "", "")])
    monkeypatch.setattr(ec2, "delete_group", cluster.delete_group)
    monkeypatch.setattr(ecr, "repositories_of", lambda *, stack: ["team/made-on-push"])
    monkeypatch.setattr(ecr, "delete_repository", cluster.removed.append)
    address = apigateway.StableUrl("api-1", "https://api-1/")
    found = [apigateway.HttpApi(address, "flask-app", "http://203.0.113.7/")]
    monkeypatch.setattr(apigateway, "stable_urls_of", lambda *, stack: found)
    monkeypatch.setattr(apigateway, "delete_stable_url", cluster.removed.append)
    return cluster


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_touches_nothing_while_the_stack_lives(cloudformation, cluster, kind):
    clean_up.handler(request(kind, cloudformation.url), LambdaContext())
    assert (cluster.stopped, cluster.deleted, len(cluster.active)) == ([], [], 25)
    assert cluster.removed == []
    ((_, answer),) = cloudformation.answers
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == "CleanUp"


def test_stops_every_task_and_waits_until_it_is_gone(cloudformation, cluster):
    cluster.in_use = 1
    clean_up.handler(request("Delete", cloudformation.url), LambdaContext())
    assert cluster.stopped == ["one", "two", "two", "two"]
    assert (cluster.active, cluster.inactive, len(cluster.deleted)) == ([], [], 26)
    assert cluster.removed == ["sg-1", "api-1", "team/made-on-push"]
    ((content_type, answer),) = cloudformation.answers
    assert answer["Status"] == "SUCCESS"
    assert content_type == ""


def test_removes_revisions_while_the_tasks_stop(cloudformation, cluster, monkeypatch):
    seen = []
    monkeypatch.setattr(clean_up.time, "sleep", lambda _: seen.append(len(cluster.active)))
    clean_up.handler(request("Delete", cloudformation.url), LambdaContext())
    assert seen == [0, 0]


def test_waits_as_long_as_aws_throttles(cloudformation, cluster):
    cluster.throttles = 100
    clean_up.handler(request("Delete", cloudformation.url), LambdaContext())
    assert cloudformation.answers[0][1]["Status"] == "SUCCESS"
    assert cluster.active == []


def test_continues_in_the_next_call_where_its_time_was_up(cloudformation, cluster, monkeypatch):
    """Lambda calls again, for nothing was answered; what is done is done."""
    now = [0.0]
    monkeypatch.setattr(clean_up.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(
        clean_up.time, "sleep", lambda _: now.__setitem__(0, now[0] + clean_up.MAX_WORK_SECONDS + 1)
    )
    deregister = cluster.deregister_task_definition

    def only_a_few(revision: str) -> None:
        if len(cluster.active) <= 12:
            cluster.throttles = 1
        deregister(revision)

    monkeypatch.setattr(ecs, "deregister_task_definition", only_a_few)
    with pytest.raises(clean_up.UnfinishedError):
        clean_up.handler(request("Delete", cloudformation.url), LambdaContext())
    assert cloudformation.answers == []
    # Three were made inactive, and the time was up before they could be deleted.
    assert (len(cluster.active), len(cluster.inactive), len(cluster.deleted)) == (12, 3, 11)
    monkeypatch.setattr(ecs, "deregister_task_definition", deregister)
    clean_up.handler(request("Delete", cloudformation.url), LambdaContext())
    assert (cluster.active, cluster.inactive) == ([], [])
    assert cloudformation.answers[0][1]["Status"] == "SUCCESS"


def test_a_revision_that_aws_does_not_delete_does_not_keep_the_stack(cloudformation, cluster, monkeypatch):
    monkeypatch.setattr(ecs, "delete_task_definitions", lambda revisions: ["it: no reason given"])
    clean_up.handler(request("Delete", cloudformation.url), LambdaContext())
    assert cloudformation.answers[0][1]["Status"] == "SUCCESS"


def test_its_time_is_up_before_lambda_ends_it_and_cloudformation_waits_for_all_calls():
    function = TEMPLATE["Resources"]["CleanUpFunction"]["Properties"]["Timeout"]
    assert function > clean_up.MAX_WORK_SECONDS + 40
    # Lambda waits one minute before the second call, and two before the third.
    assert 3 * function + 180 < TEMPLATE["Resources"]["CleanUp"]["Properties"]["ServiceTimeout"] <= 3600


def test_a_failure_is_answered_too(cloudformation, cluster, monkeypatch):
    def refuse(**_: object) -> None:
        raise PermissionError("not allowed")

    monkeypatch.setattr(ecs, "tasks_in", refuse)
    clean_up.handler(request("Delete", cloudformation.url), LambdaContext())
    ((_, answer),) = cloudformation.answers
    assert answer["Status"] == "FAILED"
    assert "not allowed" in answer["Reason"]
