"""Lifecycle policies expire images, as in ECR."""

import json
from typing import Any

import pytest

from localcloud.patches.ecr.lifecycle import DAY_SECONDS, expired_images
from tests.local.conftest import HOST_ARCHITECTURE, Cloud

NOW = 1_800_000_000.0


def rule(
    priority: int, count: int, status: str = "any", unit: str = "imageCountMoreThan", **more: Any
) -> dict[str, Any]:
    days = {"countUnit": "days"} if unit == "sinceImagePushed" else {}
    selection = {"tagStatus": status, "countType": unit, "countNumber": count, **days, **more}
    return {"rulePriority": priority, "selection": selection, "action": {"type": "expire"}}


def image(name: str, age_days: float, *tags: str) -> dict[str, Any]:
    return {"imageDigest": name, "imagePushedAt": NOW - age_days * DAY_SECONDS, "imageTags": list(tags)}


IMAGES = [image("new", 0, "latest"), image("old", 5, "v1"), image("older", 9), image("oldest", 20)]


@pytest.mark.parametrize(
    ("rules", "expired"),
    [
        ([rule(1, 2)], ["older", "oldest"]),
        ([rule(1, 7, unit="sinceImagePushed")], ["older", "oldest"]),
        ([rule(1, 1, "untagged")], ["oldest"]),
        ([rule(1, 10, "untagged", "sinceImagePushed")], ["oldest"]),
        ([rule(1, 1, "tagged", tagPrefixList=["v"])], []),
        ([rule(1, 1, "tagged", tagPatternList=["*"])], ["old"]),
        # What an earlier rule selects, and keeps, no later one expires.
        ([rule(9, 1), rule(1, 99, "untagged")], ["old"]),
    ],
)
def test_each_image_is_the_business_of_the_first_rule_that_selects_it(rules, expired):
    assert [each["imageDigest"] for each in expired_images(rules, IMAGES, NOW)] == expired


def test_a_push_expires_old_images_but_not_those_of_an_index(cloud: Cloud) -> None:
    repository, ecr = cloud.repository(), cloud.client("ecr")
    policy = {"rules": [rule(1, 2)]}
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=json.dumps(policy))
    first = cloud.push(repository, ["first"], tag="first")
    child = cloud.push(repository, ["child"])
    index = cloud.push_index(repository, {HOST_ARCHITECTURE: child}, "latest")
    last = cloud.push(repository, ["last"], tag="last")
    left = {each["imageDigest"] for each in ecr.describe_images(repositoryName=repository)["imageDetails"]}
    assert left == {child, index, last}
    assert first not in left


def test_without_a_policy_nothing_expires(cloud: Cloud) -> None:
    repository, ecr = cloud.repository(), cloud.client("ecr")
    pushed = {cloud.push(repository, [f"{number}"], tag=f"{number}") for number in range(4)}
    left = {each["imageDigest"] for each in ecr.describe_images(repositoryName=repository)["imageDetails"]}
    assert left == pushed
