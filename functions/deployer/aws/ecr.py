"""Amazon ECR: tags, manifests, configurations, and scan findings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployer.aws.client import client, code_of
from deployer.domain.errors import AwsRefusedError, AwsUnavailableError
from deployer.domain.findings import Scan
from deployer.domain.manifest import CONFIG_TYPES

if TYPE_CHECKING:
    from mypy_boto3_ecr.type_defs import PaginatorConfigTypeDef

# A configuration usually has some kilobytes.
BLOB_LIMIT = 4 * 1024 * 1024

# ECR's largest page size; a repository may have thousands of images.
PAGE_CONFIG: "PaginatorConfigTypeDef" = {"PageSize": 1000}


def digest_of(*, repository: str, tag: str) -> str:
    """The digest of the manifest or index that a tag points to, '' if the tag does not exist."""
    try:
        answer = client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except AwsRefusedError as error:
        if code_of(error) in ("ImageNotFoundException", "RepositoryNotFoundException"):
            return ""
        raise
    return str(answer["imageDetails"][0]["imageDigest"])


def has_image(*, repository: str, digest: str) -> bool:
    """Whether an image of that digest exists, tagged or not."""
    try:
        client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    except AwsRefusedError as error:
        if code_of(error) in ("ImageNotFoundException", "RepositoryNotFoundException"):
            return False
        raise
    return True


def size_of(*, repository: str, digest: str) -> int:
    """The compressed size of an image in bytes; 0 for an index, whose size ECR does not report."""
    answer = client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    return int(answer["imageDetails"][0].get("imageSizeInBytes") or 0)


def has_repository(repository: str) -> bool:
    """Whether a repository of that name exists; this needs only the permission to list its images."""
    try:
        client("ecr").describe_images(repositoryName=repository, maxResults=1)
    except AwsRefusedError as error:
        if code_of(error) == "RepositoryNotFoundException":
            return False
        raise
    return True


def manifest(*, repository: str, digest: str, media_types: Sequence[str]) -> str:
    """The manifest or the index of a digest, as it was pushed.

    Without `media_types` ECR would convert it. Raises AwsRefusedError for `failures` in a 200 response.
    """
    answer = client("ecr").batch_get_image(
        repositoryName=repository, imageIds=[{"imageDigest": digest}], acceptedMediaTypes=list(media_types)
    )
    if not answer["images"]:
        failures = answer.get("failures") or [{}]
        raise AwsRefusedError(f"BatchGetImage: {failures[0].get('failureReason') or 'the image is gone'}")
    return str(answer["images"][0]["imageManifest"])


def blob(*, repository: str, digest: str) -> str:
    """The text of a configuration. Other people wrote it, so at most 4 MiB are read."""
    # Imported here: only one step reads configurations.
    import urllib.error
    import urllib.request

    answer = client("ecr").get_download_url_for_layer(repositoryName=repository, layerDigest=digest)
    try:
        # The URL is signed and needs no credentials.
        with urllib.request.urlopen(answer["downloadUrl"], timeout=10) as response:  # noqa: S310 - of ECR
            return str(response.read(BLOB_LIMIT + 1).decode("utf-8", "replace"))
    except (urllib.error.URLError, OSError) as error:
        raise AwsUnavailableError(f"The image's configuration could not be fetched: {error}") from error


def scan_findings(*, repository: str, digest: str) -> Scan:
    """The last scan of an image with all findings; its status is '' if there is no scan.

    ECR does not scan indexes. Right after a push there is no scan yet, with enhanced scanning for about a
    minute.
    """
    try:
        pages = client("ecr").get_paginator("describe_image_scan_findings")
        found = pages.paginate(
            repositoryName=repository, imageId={"imageDigest": digest}, PaginationConfig=PAGE_CONFIG
        )
        return Scan.from_ecr(list(found))
    except AwsRefusedError as error:
        if code_of(error) == "ScanNotFoundException":
            return Scan()
        raise


@dataclass(frozen=True)
class Image:
    """A tagged image; `pushed_at` is in UNIX seconds. `may_be_app` is False for signatures, charts and such."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: int
    may_be_app: bool = True


def repositories() -> list[str]:
    """The names of all repositories of the registry."""
    pages = client("ecr").get_paginator("describe_repositories").paginate(PaginationConfig=PAGE_CONFIG)
    return [each["repositoryName"] for page in pages for each in page["repositories"]]


def repositories_of(*, stack: str) -> list[str]:
    """The stack's repositories: its own, and those that ECR created on their first push."""
    ecr = client("ecr")
    pages = ecr.get_paginator("describe_repositories").paginate()
    arns = {each["repositoryName"]: each["repositoryArn"] for page in pages for each in page["repositories"]}
    ours = {"Key": "portcall:stack", "Value": stack}
    return [name for name, arn in arns.items() if ours in ecr.list_tags_for_resource(resourceArn=arn)["tags"]]


def delete_repository(repository: str) -> None:
    """Delete a repository with its images. It is no error if it does not exist."""
    try:
        client("ecr").delete_repository(repositoryName=repository, force=True)
    except AwsRefusedError as error:
        if code_of(error) != "RepositoryNotFoundException":
            raise


def tagged_images(*, repository: str) -> list[Image]:
    """The tagged images of a repository, empty if it does not exist."""
    try:
        pages = client("ecr").get_paginator("describe_images")
        found = [
            each
            for page in pages.paginate(
                repositoryName=repository, filter={"tagStatus": "TAGGED"}, PaginationConfig=PAGE_CONFIG
            )
            for each in page["imageDetails"]
        ]
    except AwsRefusedError as error:
        if code_of(error) == "RepositoryNotFoundException":
            return []
        raise
    return [
        Image(
            each["imageDigest"],
            tuple(each.get("imageTags") or ()),
            int(each["imagePushedAt"].timestamp()),
            # An index has no such media type.
            each.get("artifactMediaType") in (None, "", *CONFIG_TYPES),
        )
        for each in found
    ]
