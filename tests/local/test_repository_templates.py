"""A push creates its repository by a repository creation template."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.local.conftest import Cloud, eventually

LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 50},
                "action": {"type": "expire"},
            }
        ]
    }
)
READERS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}],
    }
)


@contextmanager
def template(cloud: Cloud, prefix: str, **settings: Any) -> Iterator[None]:
    ecr = cloud.client("ecr")
    ecr.create_repository_creation_template(**{"prefix": prefix, "appliedFor": ["CREATE_ON_PUSH"], **settings})
    try:
        yield
    finally:
        ecr.delete_repository_creation_template(prefix=prefix)


def team() -> str:
    return f"team-{uuid.uuid4().hex[:8]}"


def pushed(cloud: Cloud, repository: str) -> dict[str, Any]:
    cloud.push(repository, ["sleep", "1"], tag="latest")
    found: dict[str, Any] = cloud.client("ecr").describe_repositories(repositoryNames=[repository])[
        "repositories"
    ][0]
    return found


def status_of_a_push(cloud: Cloud, repository: str) -> int:
    return cloud.request("POST", f"/v2/{repository}/blobs/uploads/")[0]


def creating_role(cloud: Cloud, *actions: str) -> str:
    return cloud.role("ecr", {"Effect": "Allow", "Action": list(actions), "Resource": "*"})


def test_a_push_creates_its_repository_with_the_settings_of_the_template(cloud: Cloud) -> None:
    prefix, ecr = team(), cloud.client("ecr")
    settings = {
        "imageTagMutability": "IMMUTABLE",
        "lifecyclePolicy": LIFECYCLE,
        "repositoryPolicy": READERS,
        "resourceTags": [{"Key": "made", "Value": "by a push"}],
        "customRoleArn": creating_role(cloud, "ecr:CreateRepository", "ecr:TagResource"),
    }
    with template(cloud, prefix, **settings):
        repository = pushed(cloud, f"{prefix}/web")
    name = repository["repositoryName"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == LIFECYCLE
    assert ecr.get_repository_policy(repositoryName=name)["policyText"] == READERS
    tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
    assert tags == settings["resourceTags"]


def test_the_longest_prefix_counts_and_root_is_for_all_the_rest(cloud: Cloud) -> None:
    prefix = team()
    with (
        template(cloud, "ROOT"),
        template(cloud, prefix, imageTagMutability="IMMUTABLE"),
        template(cloud, f"{prefix}/inner/"),
    ):
        assert pushed(cloud, f"{prefix}/app")["imageTagMutability"] == "IMMUTABLE"
        assert pushed(cloud, f"{prefix}/inner/app")["imageTagMutability"] == "MUTABLE"
        assert pushed(cloud, f"{prefix}more/app")["imageTagMutability"] == "MUTABLE"


def test_a_push_that_no_template_is_for_is_refused(cloud: Cloud) -> None:
    prefix = team()
    assert status_of_a_push(cloud, f"{prefix}/app") == 404
    with template(cloud, prefix, appliedFor=["REPLICATION"]):
        assert status_of_a_push(cloud, f"{prefix}/app") == 404
    with template(cloud, prefix):
        assert status_of_a_push(cloud, f"{prefix}-2/app") == 404


def test_tags_need_a_role_that_may_set_them(cloud: Cloud) -> None:
    prefix, ecr = team(), cloud.client("ecr")
    tags = [{"Key": "made", "Value": "by a push"}]
    with pytest.raises(ecr.exceptions.InvalidParameterException), template(cloud, prefix, resourceTags=tags):
        pass
    role = creating_role(cloud, "ecr:CreateRepository")
    with template(cloud, prefix, resourceTags=tags, customRoleArn=role):
        assert status_of_a_push(cloud, f"{prefix}/app") == 404


def test_templates_are_listed_changed_and_unique(cloud: Cloud) -> None:
    prefix, ecr = team(), cloud.client("ecr")
    with template(cloud, prefix):
        with pytest.raises(ecr.exceptions.TemplateAlreadyExistsException), template(cloud, prefix):
            pass
        ecr.update_repository_creation_template(prefix=prefix, imageTagMutability="IMMUTABLE")
        (found,) = ecr.describe_repository_creation_templates(prefixes=[prefix])["repositoryCreationTemplates"]
        assert (found["appliedFor"], found["imageTagMutability"]) == (["CREATE_ON_PUSH"], "IMMUTABLE")
    assert ecr.describe_repository_creation_templates(prefixes=[prefix])["repositoryCreationTemplates"] == []
    with pytest.raises(ecr.exceptions.TemplateNotFoundException):
        ecr.update_repository_creation_template(prefix=prefix, imageTagMutability="IMMUTABLE")


def test_a_stack_has_one_changes_it_and_takes_it_away(cloud: Cloud) -> None:
    prefix, ecr, stacks = team(), cloud.client("ecr"), cloud.client("cloudformation")

    def document(**properties: Any) -> str:
        properties = {"Prefix": prefix, "AppliedFor": ["CREATE_ON_PUSH"], **properties}
        resource = {"Type": "AWS::ECR::RepositoryCreationTemplate", "Properties": properties}
        outputs = {"Prefix": {"Value": {"Ref": "Template"}}}
        return json.dumps({"Resources": {"Template": resource}, "Outputs": outputs})

    def templates() -> list[dict[str, Any]]:
        answer = ecr.describe_repository_creation_templates(prefixes=[prefix])
        return list(answer["repositoryCreationTemplates"])

    stacks.create_stack(StackName=prefix, TemplateBody=document(LifecyclePolicy=LIFECYCLE))
    stacks.get_waiter("stack_create_complete").wait(StackName=prefix, WaiterConfig={"Delay": 1})
    (output,) = stacks.describe_stacks(StackName=prefix)["Stacks"][0]["Outputs"]
    assert output["OutputValue"] == prefix
    assert templates()[0]["lifecyclePolicy"] == LIFECYCLE
    stacks.update_stack(StackName=prefix, TemplateBody=document(ImageTagMutability="IMMUTABLE"))
    stacks.get_waiter("stack_update_complete").wait(StackName=prefix, WaiterConfig={"Delay": 1})
    assert templates()[0]["imageTagMutability"] == "IMMUTABLE"
    assert "lifecyclePolicy" not in templates()[0]
    stacks.delete_stack(StackName=prefix)
    assert eventually(lambda: not templates())
