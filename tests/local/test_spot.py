"""Tasks on Fargate Spot, also when AWS takes the capacity back."""

import uuid
from typing import Any

import pytest

from tests.local.conftest import Cloud, eventually

# It ends by itself when it is asked to, and says so.
PATIENT = ["sh", "-c", "trap 'echo asked to stop; exit 0' TERM; while :; do sleep 0.1; done"]
INTERRUPTED = "Your Spot Task was interrupted."


@pytest.fixture(scope="module")
def cluster(cloud: Cloud) -> str:
    name = f"cluster-{uuid.uuid4().hex[:8]}"
    cloud.client("ecs").create_cluster(clusterName=name, capacityProviders=["FARGATE", "FARGATE_SPOT"])
    return name


def run(cloud: Cloud, cluster: str, provider: str) -> str:
    repository = cloud.repository()
    cloud.push(repository, PATIENT, tag="latest")
    subnet = cloud.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    answer = cloud.client("ecs").run_task(
        cluster=cluster,
        taskDefinition=cloud.define(cloud.image(repository, ":latest")),
        capacityProviderStrategy=[{"capacityProvider": provider}],
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
    )
    return str(answer["tasks"][0]["taskArn"])


def await_status(cloud: Cloud, cluster: str, arn: str, status: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        task: dict[str, Any] = cloud.client("ecs").describe_tasks(cluster=cluster, tasks=[arn])["tasks"][0]
        return task if task["lastStatus"] == status else None

    return eventually(look)


def test_an_interruption_of_spot_is_reported_before_the_task_has_gone(cloud: Cloud, cluster: str) -> None:
    seen = cloud.watch(source=["aws.ecs"])
    arn = run(cloud, cluster, "FARGATE_SPOT")
    running = await_status(cloud, cluster, arn, "RUNNING")
    assert (running["capacityProviderName"], running["launchType"]) == ("FARGATE_SPOT", "FARGATE")
    cloud.client("ecs").stop_task(cluster=cluster, task=arn, reason=INTERRUPTED)
    stopped = await_status(cloud, cluster, arn, "STOPPED")
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("SpotInterruption", INTERRUPTED)
    assert stopped["containers"][0]["exitCode"] == 0
    assert cloud.log_lines(stopped) == ["asked to stop"]

    def details_of_events() -> list[dict[str, Any]]:
        details = [event["detail"] for event in seen(0) if event["resources"] == [arn]]
        return details if details and details[-1]["lastStatus"] == "STOPPED" else []

    details = eventually(details_of_events)
    assert {(each["capacityProviderName"], each["launchType"]) for each in details} == {
        ("FARGATE_SPOT", "FARGATE")
    }
    (warning,) = [
        each for each in details if (each["lastStatus"], each["desiredStatus"]) == ("RUNNING", "STOPPED")
    ]
    assert (warning["stopCode"], warning["stoppedReason"]) == ("SpotInterruption", INTERRUPTED)


def test_other_capacity_is_not_interrupted_whatever_the_reason_says(cloud: Cloud, cluster: str) -> None:
    arn = run(cloud, cluster, "FARGATE")
    assert await_status(cloud, cluster, arn, "RUNNING")["capacityProviderName"] == "FARGATE"
    cloud.client("ecs").stop_task(cluster=cluster, task=arn, reason=INTERRUPTED)
    assert await_status(cloud, cluster, arn, "STOPPED")["stopCode"] == "UserInitiated"


def test_a_cluster_without_the_capacity_provider_runs_nothing_on_it(cloud: Cloud, cluster: str) -> None:
    ecs, bare = cloud.client("ecs"), f"{cluster}-bare"
    ecs.create_cluster(clusterName=bare)
    for where, provider in ((bare, "FARGATE_SPOT"), (cluster, "nonsense")):
        with pytest.raises(ecs.exceptions.InvalidParameterException, match="not associated with the cluster"):
            run(cloud, where, provider)
