"""An account that never used ECS, whose service-linked role is available late."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.local.conftest import Cloud, eventually, start_cloud

WORDS = "Unable to assume the service linked role. Please verify that the ECS service linked role exists."
CLUSTER = {"Type": "AWS::ECS::Cluster"}
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
# As the template has it: a role that comes after the cluster, then what needs the service-linked role.
ROLE = {"Type": "AWS::IAM::Role", "DependsOn": "Cluster", "Properties": {"AssumeRolePolicyDocument": TRUST}}
PROVIDERS = {
    "Type": "AWS::ECS::ClusterCapacityProviderAssociations",
    "DependsOn": "Role",
    "Properties": {
        "Cluster": {"Ref": "Cluster"},
        "CapacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "DefaultCapacityProviderStrategy": [{"CapacityProvider": "FARGATE", "Weight": 1}],
    },
}


@pytest.fixture
def late(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    running = start_cloud(tmp_path_factory.mktemp("late"), PORTCALL_SWITCHES="ecs-role-late=1")
    yield running
    running.stop()


def create(cloud: Cloud, **resources: Any) -> tuple[str, list[str]]:
    """What a stack ends as, and the reasons of its events."""
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName="it", TemplateBody=json.dumps({"Resources": resources}), Capabilities=["CAPABILITY_IAM"]
    )

    def look() -> str:
        status = str(cloudformation.describe_stacks(StackName="it")["Stacks"][0]["StackStatus"])
        return "" if status.endswith("IN_PROGRESS") else status

    status = eventually(look)
    events = cloudformation.describe_stack_events(StackName="it")["StackEvents"]
    return status, [event.get("ResourceStatusReason", "") for event in events]


def test_a_first_cluster_with_capacity_providers_fails_in_the_words_of_aws(late: Cloud) -> None:
    status, reasons = create(late, Cluster={**CLUSTER, "Properties": {"CapacityProviders": ["FARGATE"]}})  # fmt: skip
    assert status == "ROLLBACK_COMPLETE"
    assert any(WORDS in reason for reason in reasons)


def test_capacity_providers_that_follow_the_cluster_at_once_fail_too(late: Cloud) -> None:
    at_once = {key: value for key, value in PROVIDERS.items() if key != "DependsOn"}
    status, reasons = create(late, Cluster=CLUSTER, Providers=at_once)
    assert status == "ROLLBACK_COMPLETE"
    assert any(WORDS in reason for reason in reasons)


def test_capacity_providers_that_follow_a_role_find_the_service_linked_one(late: Cloud) -> None:
    status, reasons = create(late, Cluster=CLUSTER, Role=ROLE, Providers=PROVIDERS)
    assert status == "CREATE_COMPLETE", reasons
    (cluster,) = late.client("ecs").describe_clusters(
        clusters=late.client("ecs").list_clusters()["clusterArns"]
    )["clusters"]
    assert cluster["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert cluster["defaultCapacityProviderStrategy"] == [{"capacityProvider": "FARGATE", "weight": 1}]


def test_a_task_is_refused_until_the_role_is_there(late: Cloud) -> None:
    ecs = late.client("ecs")
    ecs.create_cluster(clusterName="new")
    with pytest.raises(ecs.exceptions.InvalidParameterException, match=WORDS):
        ecs.run_task(cluster="new", taskDefinition="any")
    with pytest.raises(ecs.exceptions.InvalidParameterException, match=WORDS):
        ecs.put_cluster_capacity_providers(
            cluster="new", capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[]
        )

    def accepted() -> bool:
        try:
            ecs.put_cluster_capacity_providers(
                cluster="new", capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[]
            )
        except ecs.exceptions.InvalidParameterException:
            return False
        return True

    assert eventually(accepted)


def test_the_first_cluster_brings_the_service_linked_role(cloud: Cloud) -> None:
    cloud.client("ecs").create_cluster(clusterName="first")
    role = cloud.client("iam").get_role(RoleName="AWSServiceRoleForECS")["Role"]
    assert role["Path"] == "/aws-service-role/ecs.amazonaws.com/"


def test_a_capacity_provider_that_a_task_runs_on_is_not_taken_away(cloud: Cloud) -> None:
    ecs = cloud.client("ecs")
    ecs.create_cluster(clusterName="busy", capacityProviders=["FARGATE"])
    repository = cloud.repository()
    cloud.push(repository, ["sleep", "3600"], tag="latest")
    subnet = cloud.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    task = ecs.run_task(
        cluster="busy",
        taskDefinition=cloud.define(cloud.image(repository, ":latest")),
        capacityProviderStrategy=[{"capacityProvider": "FARGATE"}],
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
    )["tasks"][0]["taskArn"]
    remove: dict[str, Any] = {"cluster": "busy", "capacityProviders": [], "defaultCapacityProviderStrategy": []}
    try:
        with pytest.raises(ecs.exceptions.ResourceInUseException):
            ecs.put_cluster_capacity_providers(**remove)
    finally:
        ecs.stop_task(cluster="busy", task=task)
    eventually(lambda: ecs.describe_tasks(cluster="busy", tasks=[task])["tasks"][0]["lastStatus"] == "STOPPED")
    ecs.put_cluster_capacity_providers(**remove)
