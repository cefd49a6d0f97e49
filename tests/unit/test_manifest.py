"""Images are distinguished from other artifacts, and the right one is chosen from an index."""

import json

import pytest
from deployer.domain import manifest
from deployer.domain.errors import UnsupportedImageError

from tests.images import (
    AMD64,
    APPS,
    ARM64,
    ARTIFACTS,
    ATTESTATION,
    BUILDX,
    CONFIG,
    DOCKER,
    OCI,
    OTHER,
    SOCI,
    child,
    index,
)


@pytest.mark.parametrize("name", APPS)
def test_an_image_is_an_app(name):
    assert manifest.is_app(APPS[name])
    assert not manifest.is_index(APPS[name])


@pytest.mark.parametrize("name", ARTIFACTS)
def test_an_artifact_is_none(name):
    assert not manifest.is_app(ARTIFACTS[name])
    assert not manifest.is_index(ARTIFACTS[name])


@pytest.mark.parametrize("media_type", ["oci.image.index.v1", "docker.distribution.manifest.list.v2"])
def test_an_index_is_recognized_by_its_media_type(media_type):
    assert manifest.is_index(index(media_type=media_type))
    assert f"application/vnd.{media_type}+json" in manifest.MEDIA_TYPES


def test_an_index_may_leave_out_its_media_type():
    assert manifest.is_index({"schemaVersion": 2, "manifests": []})


@pytest.mark.parametrize(("preferred", "digest"), [("X86_64", AMD64), ("ARM64", ARM64)])
def test_the_preferred_cpu_is_chosen(preferred, digest):
    assert manifest.choose(BUILDX, preferred=preferred) == digest


def test_the_other_cpu_is_better_than_none():
    arm_only = index(child(ARM64, "linux/arm64/v8"), ATTESTATION, child(OTHER, "linux/arm/v7"))
    assert manifest.choose(arm_only, preferred="X86_64") == ARM64
    assert manifest.choose(index(child(AMD64, "linux/amd64")), preferred="ARM64") == AMD64


def test_a_soci_index_for_the_same_platform_is_not_chosen():
    assert manifest.choose(index(SOCI, child(AMD64, "linux/amd64")), preferred="X86_64") == AMD64


@pytest.mark.parametrize(
    "beside",
    [
        child(OTHER, "unknown/unknown"),
        child(OTHER, annotations={"vnd.docker.reference.type": "attestation-manifest"}),
        child(OTHER, "linux/arm64", artifactType="application/spdx+json"),
        child(OTHER) | {"mediaType": "application/vnd.example+json"},
    ],
)
def test_other_artifacts_beside_the_images_are_not_chosen(beside):
    assert manifest.choose(index(beside), preferred="ARM64") is None
    assert manifest.choose(index(beside, child(AMD64, "linux/amd64")), preferred="ARM64") == AMD64


def test_of_two_for_the_same_cpu_the_first_is_chosen():
    twice = index(child(AMD64, "linux/amd64"), child(OTHER, "linux/amd64"))
    assert manifest.choose(twice, preferred="X86_64") == AMD64


def test_a_child_without_a_platform_is_the_last_resort():
    silent = child(OTHER)
    assert manifest.choose(index(silent, child(ARM64, "linux/arm64")), preferred="X86_64") == ARM64
    assert manifest.choose(index(child(AMD64, "windows/amd64"), silent), preferred="X86_64") == OTHER


@pytest.mark.parametrize(
    "nothing", [index(), index(ATTESTATION, SOCI), BUILDX | {"artifactType": "application/x"}]
)
def test_an_index_of_artifacts_is_not_an_app(nothing):
    assert manifest.choose(nothing, preferred="X86_64") is None


def test_an_image_for_other_platforms_is_refused_with_what_it_offers_and_what_to_do():
    offers = ["windows/amd64", "linux/386", "linux/arm/v7", "linux/amd64/v3"]
    with pytest.raises(UnsupportedImageError) as refused:
        manifest.choose(index(*(child(OTHER, offer) for offer in offers), ATTESTATION), preferred="X86_64")
    assert all(f"'{offer}'" in str(refused.value) for offer in offers)
    assert "unknown" not in str(refused.value)
    assert "`docker build --platform linux/amd64 ...`" in str(refused.value)


def test_only_the_first_of_many_platforms_are_reported():
    with pytest.raises(UnsupportedImageError, match=r"'plan9/a3' and 6 more, but"):
        manifest.choose(index(*(child(OTHER, f"plan9/a{n}") for n in range(10))), preferred="ARM64")


def test_an_index_of_indexes_is_refused():
    nested = child(OTHER, "linux/amd64") | {"mediaType": BUILDX["mediaType"]}
    with pytest.raises(UnsupportedImageError, match="lists other indexes"):
        manifest.choose(index(nested), preferred="X86_64")
    assert manifest.choose(index(nested, child(AMD64, "linux/amd64")), preferred="X86_64") == AMD64


@pytest.mark.parametrize("image", [DOCKER, OCI])
def test_the_configuration_is_named_by_its_digest(image):
    assert manifest.config_digest(image) == CONFIG


@pytest.mark.parametrize(
    "digest", [None, "", "latest", "sha256:../../etc", "sha256:" + "D" * 64, CONFIG + "\n"]
)
def test_a_digest_that_is_none_is_refused(digest):
    with pytest.raises(UnsupportedImageError, match="sha256 digest"):
        manifest.config_digest({"config": {"digest": digest}})
    with pytest.raises(UnsupportedImageError, match="sha256 digest"):
        manifest.choose(index(child(digest, "linux/amd64")), preferred="X86_64")


def test_the_format_of_old_is_refused_by_its_name():
    with pytest.raises(UnsupportedImageError, match="schema 1"):
        manifest.config_digest(APPS["schema 1"])


def test_reads_what_the_registry_holds():
    assert manifest.parse(json.dumps(BUILDX)) == BUILDX


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"text"', "[" * 100_000, '{"a":' * 100_000, "1" * 5000, "\0"]
)
def test_a_manifest_that_is_not_a_json_object_is_refused(text):
    with pytest.raises(UnsupportedImageError, match="not a JSON object"):
        manifest.parse(text)


def test_a_manifest_over_4_mib_is_refused():
    with pytest.raises(UnsupportedImageError, match="4 MiB"):
        manifest.parse('{"a": "' + "x" * manifest.SIZE_LIMIT + '"}')


def test_the_size_of_an_image_is_what_a_pull_loads():
    layers = [{"size": 300_000_000}, {"size": 112_000_000}]
    assert manifest.size(DOCKER | {"layers": layers}) == 412_000_000
    assert manifest.size(DOCKER) == 1463


@pytest.mark.parametrize(
    "layers", [None, "x", [], [None], [{}], [{"size": "9"}], [{"size": -9}], [{"size": True}]]
)
def test_a_size_that_is_none_is_not_known(layers):
    assert manifest.size(DOCKER | {"layers": layers}) == 0


@pytest.mark.parametrize(
    ("name", "packing"),
    [
        ("docker", "gzip"),
        ("oci", "gzip"),
        ("zstd", "zstd"),
        ("indexed by SOCI", "soci"),
        ("no layers at all", "gzip"),
        ("schema 1", "gzip"),
    ],
)
def test_how_an_image_is_packed_is_read_from_its_layers(name, packing):
    assert manifest.packing(APPS[name]) == packing


def test_of_layers_that_are_packed_differently_the_slowest_counts():
    layers = [*APPS["zstd"]["layers"], *APPS["oci"]["layers"]]
    assert manifest.packing(OCI | {"layers": layers}) == "gzip"
