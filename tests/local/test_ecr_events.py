"""EventBridge's events of docker push."""

import base64
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.local.conftest import CONFIG, INDEX, MANIFEST, Cloud, eventually


def docker(*arguments: str, config: Path, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "DOCKER_CONFIG": str(config)}
    return subprocess.run(["docker", *arguments], input=data, capture_output=True, env=environment)


def import_image(reference: str, config: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("empty"))
    assert docker("import", "-", reference, config=config, data=archive.getvalue()).returncode == 0


def test_a_docker_push_without_login_becomes_an_event(cloud: Cloud, tmp_path: Path) -> None:
    repository = cloud.repository()
    seen = cloud.watch(source=["aws.ecr"], detail={"repository-name": [repository]})
    reference = f"localhost:{cloud.port}/{repository}:latest"
    import_image(reference, tmp_path)
    try:
        pushed = docker("push", reference, config=tmp_path)
    finally:
        docker("rmi", reference, config=tmp_path)
    assert pushed.returncode == 0, pushed.stderr
    (event,) = eventually(seen)
    image = cloud.client("ecr").describe_images(repositoryName=repository)["imageDetails"][0]
    assert event["detail-type"] == "ECR Image Action"
    assert (event["account"], event["region"], event["resources"]) == (cloud.account, cloud.region, [])
    assert event["detail"] == {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": image["imageDigest"],
        "action-type": "PUSH",
        "image-tag": "latest",
        "manifest-media-type": "application/vnd.docker.distribution.manifest.v2+json",
        "artifact-media-type": "application/vnd.docker.container.image.v1+json",
    }


def test_docker_login_works_with_the_password_of_get_authorization_token(cloud: Cloud, tmp_path: Path) -> None:
    answer = cloud.client("ecr").get_authorization_token()["authorizationData"][0]
    password = base64.b64decode(answer["authorizationToken"]).partition(b":")[2]
    registry = f"localhost:{cloud.port}"
    login = docker("login", "-u", "AWS", "--password-stdin", registry, config=tmp_path, data=password)
    assert login.returncode == 0, login.stderr
    reference = f"{registry}/{cloud.repository()}:latest"
    import_image(reference, tmp_path)
    try:
        assert docker("push", reference, config=tmp_path).returncode == 0
    finally:
        docker("rmi", reference, config=tmp_path)


def test_a_push_to_a_missing_repository_says_so(cloud: Cloud, tmp_path: Path) -> None:
    reference = f"localhost:{cloud.port}/nowhere:latest"
    import_image(reference, tmp_path)
    try:
        pushed = docker("push", reference, config=tmp_path)
    finally:
        docker("rmi", reference, config=tmp_path)
    assert pushed.returncode != 0
    assert b"name unknown" in pushed.stderr


def test_an_index_and_its_untagged_image_are_an_event_each(cloud: Cloud) -> None:
    repository = cloud.repository()
    seen = cloud.watch(source=["aws.ecr"], detail={"repository-name": [repository]})
    child = cloud.push(repository, ["sleep", "1"])
    index = cloud.push_index(repository, {"amd64": child}, "v1")
    events = eventually(lambda: seen(2))
    by_digest = {event["detail"]["image-digest"]: event["detail"] for event in events}
    assert by_digest[child]["image-tag"] == ""
    assert by_digest[child]["manifest-media-type"] == MANIFEST
    assert by_digest[child]["artifact-media-type"] == CONFIG
    assert by_digest[index]["image-tag"] == "v1"
    assert by_digest[index]["manifest-media-type"] == INDEX
    assert "artifact-media-type" not in by_digest[index]


def test_a_push_that_changes_nothing_is_not_an_event(cloud: Cloud, tmp_path: Path) -> None:
    repository, ecr = cloud.repository(), cloud.client("ecr")
    seen = cloud.watch(source=["aws.ecr"], detail={"repository-name": [repository]})
    reference = f"localhost:{cloud.port}/{repository}:latest"
    import_image(reference, tmp_path)
    try:
        for _ in range(2):
            assert docker("push", reference, config=tmp_path).returncode == 0
    finally:
        docker("rmi", reference, config=tmp_path)
    digest = ecr.describe_images(repositoryName=repository)["imageDetails"][0]["imageDigest"]
    # As docker asks before it pushes.
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    status, _ = cloud.request("HEAD", f"/v2/{repository}/manifests/latest", **accept)
    assert status == 200
    manifest = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "latest"}])["images"][0]
    again = {"repositoryName": repository, "imageManifest": manifest["imageManifest"]}
    with pytest.raises(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(**again, imageTag="latest")
    ecr.put_image(**again, imageTag="last")
    assert [event["detail"]["image-tag"] for event in eventually(lambda: seen(2))] == ["latest", "last"]
    assert digest == manifest["imageId"]["imageDigest"]


def test_a_put_image_and_a_deletion_are_events_too(cloud: Cloud) -> None:
    repository, ecr = cloud.repository(), cloud.client("ecr")
    digest = cloud.push(repository, ["sleep", "1"], tag="one")
    seen = cloud.watch(source=["aws.ecr"], detail={"repository-name": [repository]})
    manifest = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "one"}])["images"][0]
    ecr.put_image(repositoryName=repository, imageManifest=manifest["imageManifest"], imageTag="two")
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "two"}])
    put, deleted = [event["detail"] for event in eventually(lambda: seen(2))]
    assert (put["action-type"], put["image-tag"], put["image-digest"]) == ("PUSH", "two", digest)
    assert (deleted["action-type"], deleted["image-tag"], deleted["image-digest"]) == ("DELETE", "two", digest)
