"""Many pushes at once: only the last one of an app stays, and each app gets its own URL and mail."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from deployer.aws import ledger_keys
from deployer.aws.items import wire

from tests.deployments import WITHIN
from tests.e2e.conftest import Portcall, get
from tests.local.conftest import eventually

pytestmark = pytest.mark.long(75)

PUSHES = 10
APPS = [f"burst-{number:02}-app" for number in range(30)]


def upload(portcall: Portcall, app: str, version: str) -> dict[str, Any]:
    """Push an image that answers with `version`, without a tag, which starts nothing; returns its manifest."""
    registry = portcall.by_hand
    serve = f"trap 'exit 0' TERM; echo {version} > /index.html; httpd -f -p 3000 -h / & wait"
    digest = registry.push(app, ["sh", "-c", serve])
    manifest: dict[str, Any] = json.loads(registry.request("GET", f"/v2/{app}/manifests/{digest}")[1])
    return manifest


def settled(portcall: Portcall, app: str, pushes: int) -> list[dict[str, str]]:
    """What the ledger says of each push of an app, oldest first, once all have an outcome."""
    dynamodb = portcall.client("dynamodb")
    (table,) = dynamodb.list_tables()["TableNames"]

    def look() -> list[dict[str, str]]:
        items = dynamodb.query(
            TableName=table,
            KeyConditionExpression="pk = :app AND begins_with(sk, :deployment)",
            ExpressionAttributeValues=wire(
                {":app": ledger_keys.partition(app), ":deployment": ledger_keys.DEPLOYMENT}
            ),
            ConsistentRead=True,
        )["Items"]
        outcomes = [{name: item[name].get("S", "") for name in item} for item in items if "outcome" in item]
        return outcomes if len(outcomes) == pushes else []

    found = eventually(look, within=WITHIN, every=0.2)
    # The mail comes after the outcome, and the executions end after the mail.
    portcall.deployments.ended(app)
    return found


def tasks(portcall: Portcall, app: str) -> list[str]:
    """The tasks of an app that are to run."""
    ecs = portcall.client("ecs")
    (cluster,) = ecs.list_clusters()["clusterArns"]
    arns: list[str] = ecs.list_tasks(cluster=cluster, family=f"portcall_{app}")["taskArns"]
    return arns


@pytest.fixture
def stopped_at_the_end(portcall: Portcall) -> Iterator[None]:
    """The tests after these have the machine to themselves."""
    yield
    ecs = portcall.client("ecs")
    (cluster,) = ecs.list_clusters()["clusterArns"]
    for app in APPS:
        for task in tasks(portcall, app):
            ecs.stop_task(cluster=cluster, task=task)
    eventually(lambda: not any(portcall.containers(app) for app in APPS), within=90, every=0.5)


def test_of_ten_pushes_at_once_the_last_is_live_and_nothing_else_is_left(portcall: Portcall) -> None:
    app = "hasty-app"
    portcall.repository(app)
    manifests = [upload(portcall, app, f"version-{number}") for number in range(PUSHES)]
    began = time.monotonic()
    pushed = [portcall.by_hand.put_manifest(app, manifest, "latest") for manifest in manifests]
    assert time.monotonic() - began < 20
    assert len(set(pushed)) == PUSHES

    deployments = settled(portcall, app, PUSHES)
    assert sorted(each["digest"] for each in deployments) == sorted(pushed)
    outcomes = Counter(each["outcome"] for each in deployments)
    assert set(outcomes) <= {"deployed", "superseded"}, deployments
    (last,) = (each for each in deployments if each["digest"] == pushed[-1])
    assert last["outcome"] == "deployed", last
    # Each execution handled one push, and none failed.
    executions = portcall.deployments.ended(app)
    assert [each["status"] for each in executions] == ["SUCCEEDED"] * PUSHES

    mails = portcall.mails(app)
    assert len(mails) == outcomes["deployed"]
    assert {mail.attributes["outcome"] for mail in mails} == {"deployed"}
    assert len(portcall.mails(app, pushed[-1])) == 1

    eventually(lambda: len(portcall.containers(app)) == 1)
    (live,) = portcall.apps(app)
    assert (live["digest"], live["state"]) == (pushed[-1], "RUNNING")
    assert tasks(portcall, app) == [live["task_arn"]]
    assert get(live["url"]).strip() == f"version-{PUSHES - 1}"


def test_five_tags_of_one_image_are_one_deployment_and_one_mail(portcall: Portcall) -> None:
    app = "tags-app"
    portcall.repository(app)
    manifest = upload(portcall, app, "version-1")
    pushed = {
        portcall.by_hand.put_manifest(app, manifest, tag) for tag in ("latest", "1", "1.2", "1.2.3", "sha-abc")
    }
    outcomes = Counter(each["outcome"] for each in settled(portcall, app, 5))
    assert outcomes == {"deployed": 1, "same image": 4}
    assert [each["status"] for each in portcall.deployments.ended(app)] == ["SUCCEEDED"] * 5
    (digest,) = pushed
    (mail,) = portcall.mails(app)
    assert mail in portcall.mails(app, digest)
    assert mail.attributes["outcome"] == "deployed"
    assert len(tasks(portcall, app)) == 1


def test_two_tags_pushed_at_once_end_well(portcall: Portcall) -> None:
    """ECS registers one revision of a family at a time, so one of the two is refused at first."""
    app = "tagged-app"
    portcall.repository(app)
    manifests = {tag: upload(portcall, app, tag) for tag in ("1.2", "latest")}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda tag: portcall.by_hand.put_manifest(app, manifests[tag], tag), manifests))
    deployments = settled(portcall, app, 2)
    outcomes = [each["outcome"] for each in deployments]
    assert "failed" not in outcomes, deployments
    assert "deployed" in outcomes
    assert [each["status"] for each in portcall.deployments.ended(app)] == ["SUCCEEDED"] * 2
    eventually(lambda: len(portcall.containers(app)) == 1)


@pytest.mark.usefixtures("stopped_at_the_end")
def test_thirty_apps_at_once_are_live_at_thirty_urls(portcall: Portcall) -> None:
    for app in APPS:
        portcall.repository(app)
    manifests = {app: upload(portcall, app, app) for app in APPS}
    pushed = {app: portcall.by_hand.put_manifest(app, manifests[app], "latest") for app in APPS}

    for app in APPS:
        (deployment,) = settled(portcall, app, 1)
        assert (deployment["outcome"], deployment["digest"]) == ("deployed", pushed[app]), deployment
    urls = set()
    for app in APPS:
        (mail,) = portcall.mails(app)
        url = mail.text.splitlines()[0]
        assert mail.subject == f"{app} is live: {url}"
        assert get(url).strip() == app
        assert len(tasks(portcall, app)) == 1
        urls.add(url)
    assert len(urls) == len(APPS)
