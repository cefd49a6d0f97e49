"""Amazon ECR: what a tag means now."""

from dataclasses import dataclass

from botocore.exceptions import ClientError

from deployer.aws.client import client, errors_as_ours
from deployer.domain.errors import AwsRefusedError

# The largest that ECR gives; a repository may have thousands of images.
PAGES = {"PageSize": 1000}


def digest_of(*, repository: str, tag: str) -> str:
    """The digest of the manifest or the index that a tag points to, '' if there is no such tag."""
    try:
        with errors_as_ours():
            answer = client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except AwsRefusedError as error:
        cause = error.__cause__
        gone = ("ImageNotFoundException", "RepositoryNotFoundException")
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in gone:
            return ""
        raise
    return str(answer["imageDetails"][0]["imageDigest"])


@dataclass(frozen=True)
class Image:
    """A tagged image; `pushed_at` is in UNIX seconds."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: int


def repositories() -> list[str]:
    """The names of all repositories of the registry."""
    with errors_as_ours():
        pages = client("ecr").get_paginator("describe_repositories").paginate(PaginationConfig=PAGES)
        return [each["repositoryName"] for page in pages for each in page["repositories"]]


def tagged_images(*, repository: str) -> list[Image]:
    """The tagged images of a repository; empty if it is gone."""
    try:
        with errors_as_ours():
            pages = client("ecr").get_paginator("describe_images")
            found = [
                each
                for page in pages.paginate(
                    repositoryName=repository, filter={"tagStatus": "TAGGED"}, PaginationConfig=PAGES
                )
                for each in page["imageDetails"]
            ]
    except AwsRefusedError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "RepositoryNotFoundException":
            return []
        raise
    return [
        Image(each["imageDigest"], tuple(each.get("imageTags") or ()), int(each["imagePushedAt"].timestamp()))
        for each in found
    ]
