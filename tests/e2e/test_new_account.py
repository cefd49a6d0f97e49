"""A new account: ten functions at once, and a few vCPUs."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from portcall.installer.packaged import Packaged
from tests.conftest import StateFolder
from tests.e2e.conftest import Portcall, get
from tests.e2e.test_bursts import settled, tasks, upload
from tests.local.conftest import eventually, forget_images

pytestmark = pytest.mark.long(70)

SERVING = [f"serving-{number}-app" for number in range(5)]
SILENT = [f"silent-{number}-app" for number in range(10)]


@pytest.fixture(scope="module")
def newcomer(base_image: None, release: Packaged, state_folder: StateFolder) -> Iterator[Portcall]:
    state_dir = state_folder("newcomer")
    cloud = Portcall(state_dir, switches="lambda-concurrency=10 vcpus=4")
    try:
        # Longer than one call of the health check asks.
        cloud.start(release, HealthTimeout="45")
        yield cloud
    finally:
        stopped = cloud.run("down")
        forget_images(cloud.port)
    assert stopped.returncode == 0, stopped.stderr


def silent(cloud: Portcall, app: str) -> dict[str, Any]:
    """Push an image that never answers, but ends at SIGTERM; a plain `sleep` would keep its vCPU for 30 s."""
    quiet = ["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]
    digest = cloud.by_hand.push(app, quiet, Labels={"name": app})
    return cloud.by_hand.manifest(app, digest)


def all_have_ended(cloud: Portcall, number: int) -> bool:
    workflow, machine = cloud.deployments.workflow, cloud.deployments.machine
    found = workflow.list_executions(stateMachineArn=machine, maxResults=1000)["executions"]
    return len(found) >= number and all(each["status"] != "RUNNING" for each in found)


def test_ten_apps_that_never_answer_keep_no_other_push_from_its_outcome_and_its_mail(newcomer: Portcall):
    manifests = {}
    for app in [*SILENT, *SERVING]:
        newcomer.repository(app)
        manifests[app] = upload(newcomer, app, app) if app in SERVING else silent(newcomer, app)
    began = time.monotonic()
    pushed = {app: newcomer.by_hand.put_manifest(app, manifests[app], "latest") for app in manifests}
    assert time.monotonic() - began < 30
    eventually(lambda: all_have_ended(newcomer, len(pushed)), within=240, every=1)

    for app in SERVING:
        (deployment,) = settled(newcomer, app, 1)
        assert (deployment["outcome"], deployment["digest"]) == ("deployed", pushed[app]), deployment
        mails = newcomer.mails(app, pushed[app])
        assert {mail.attributes["outcome"] for mail in mails} == {"deployed"}, [mail.subject for mail in mails]
        assert get(mails[-1].text.splitlines()[0]).strip() == app
    for app in SILENT:
        (deployment,) = settled(newcomer, app, 1)
        assert (deployment["outcome"], deployment["error"]) == ("failed", "NoAnswerError"), deployment
        mails = newcomer.mails(app, pushed[app])
        assert {mail.attributes["outcome"] for mail in mails} == {"failed"}, [mail.subject for mail in mails]
        assert mails[0].subject.startswith(f"{app} never answered")
    eventually(lambda: not any(tasks(newcomer, app) for app in SILENT))
    assert all(len(tasks(newcomer, app)) == 1 for app in SERVING)


def test_above_the_quota_of_vcpus_a_push_waits_for_room(newcomer: Portcall):
    app = "patient-app"
    newcomer.repository(app)
    manifest = upload(newcomer, app, app)
    ecs, workflow = newcomer.client("ecs"), newcomer.client("stepfunctions")
    (cluster,) = ecs.list_clusters()["clusterArns"]
    subnet = newcomer.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    # A task that is being stopped takes its vCPU until it has ended, and then gives it to the push.
    eventually(lambda: not stopping(ecs, cluster), within=90, every=0.5)
    fillers: list[str] = []
    while not (answer := fill(ecs, cluster, subnet))["failures"]:
        fillers += [task["taskArn"] for task in answer["tasks"]]
    newcomer.by_hand.put_manifest(app, manifest, "latest")

    def is_refused() -> bool:
        for each in newcomer.deployments.of(app):
            events = workflow.get_execution_history(executionArn=each["executionArn"])["events"]
            if any("NoCapacityError" in json.dumps(event, default=str) for event in events):
                return True
        return False

    eventually(is_refused, every=0.5)
    for task in fillers:
        ecs.stop_task(cluster=cluster, task=task)
    (deployment,) = settled(newcomer, app, 1)
    assert deployment["outcome"] == "deployed", deployment
    assert len(tasks(newcomer, app)) == 1


def stopping(ecs: Any, cluster: str) -> list[str]:
    """The last statuses of the tasks that are to stop and have not."""
    arns = ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
    described = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    return [task["lastStatus"] for task in described if task["lastStatus"] != "STOPPED"]


def fill(ecs: Any, cluster: str, subnet: str) -> dict[str, Any]:
    """Start one more of some app's tasks."""
    family = ecs.list_task_definition_families(status="ACTIVE")["families"][0]
    answer: dict[str, Any] = ecs.run_task(
        cluster=cluster,
        taskDefinition=family,
        capacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet], "assignPublicIp": "ENABLED"}},
    )
    return answer
