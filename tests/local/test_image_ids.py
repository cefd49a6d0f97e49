"""Tags and image ids, as ECR reports them."""

import json
import urllib.request

import pytest

from tests.local.conftest import CONFIG, Cloud


def test_a_tag_that_moved_on_is_no_longer_in_the_old_images_id(cloud: Cloud) -> None:
    repository, ecr = cloud.repository(), cloud.client("ecr")
    old = cloud.push(repository, ["echo", "1"], tag="latest")
    new = cloud.push(repository, ["echo", "2"], tag="latest")
    ids = [{"imageDigest": old}, {"imageTag": "latest"}]
    images = ecr.batch_get_image(repositoryName=repository, imageIds=ids)["images"]
    assert [image["imageId"] for image in images] == [
        {"imageDigest": old},
        {"imageDigest": new, "imageTag": "latest"},
    ]
    listed = ecr.list_images(repositoryName=repository)["imageIds"]
    assert sorted(listed, key=str) == sorted(
        [{"imageDigest": old}, {"imageDigest": new, "imageTag": "latest"}], key=str
    )


def test_deleting_a_tag_keeps_an_image_that_has_another(cloud: Cloud) -> None:
    repository, ecr = cloud.repository(), cloud.client("ecr")
    digest = cloud.push(repository, ["echo"], tag="one")
    assert cloud.push(repository, ["echo"], tag="two") == digest
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "one"}])
    (image,) = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert (image["imageTags"], image["artifactMediaType"]) == (["two"], CONFIG)
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])


def test_the_url_of_a_layer_gives_the_images_configuration(cloud: Cloud) -> None:
    repository, ecr = cloud.repository(), cloud.client("ecr")
    cloud.push(repository, ["echo"], tag="latest")
    image = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "latest"}])["images"][0]
    digest = json.loads(image["imageManifest"])["config"]["digest"]
    url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest)["downloadUrl"]
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert json.load(answer)["config"]["Cmd"] == ["echo"]
    with pytest.raises(ecr.exceptions.LayersNotFoundException):
        ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=f"sha256:{'0' * 64}")
