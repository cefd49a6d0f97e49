"""Reads manifests: an image, an index of images, or another artifact.

Sources: https://github.com/opencontainers/image-spec (manifest.md, image-index.md) and
https://distribution.github.io/distribution/spec/manifest-v2-2/
"""

import json
from typing import Any, Literal

from deployer.domain import platforms
from deployer.domain.errors import UnsupportedImageError
from deployer.domain.push import DIGEST
from deployer.domain.quote import quote

IMAGE_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MEDIA_TYPES = IMAGE_TYPES + INDEX_TYPES
CONFIG_TYPES = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
# For every compression, and for non-distributable layers.
LAYER_TYPES = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")
SIZE_LIMIT = 4 * 1024 * 1024
# How an image is packed: with gzip or not at all, with zstd, or with gzip and an index to load it lazily by.
Packing = Literal["gzip", "zstd", "soci"]
SOCI_INDEX = "com.amazon.soci.index-digest"


def parse(text: str) -> dict[str, Any]:
    """Read a manifest or a configuration. Raises UnsupportedImageError if it is neither."""
    if len(text) > SIZE_LIMIT:
        raise UnsupportedImageError(
            f"The image's manifest or configuration has {len(text)} characters; the limit is 4 MiB."
        )
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UnsupportedImageError(
            "The image's manifest or configuration is not a JSON object. Build the image again and push it."
        )
    return document


def is_index(manifest: dict[str, Any]) -> bool:
    """Whether it is an index. OCI does not require a manifest to name its own media type."""
    media_type = manifest.get("mediaType")
    return media_type in INDEX_TYPES if media_type else "manifests" in manifest


def is_app(manifest: dict[str, Any]) -> bool:
    """Whether an image's manifest is that of a container image.

    Other artifacts have manifests too: signatures, attestations, SBOMs, SOCI indexes, Helm charts, WASM
    modules. Most have a type of their own. Older ones look like images, but none of their layers is a file
    system. An image without any layer is still an image.
    """
    match manifest:
        case {"schemaVersion": 1}:
            return True
        case {"config": {"mediaType": media_type}} if media_type in CONFIG_TYPES:
            return not _has_a_type_of_its_own(manifest) and _has_files(manifest.get("layers"))
    return False


def _has_a_type_of_its_own(source: dict[str, Any]) -> bool:
    artifact = source.get("artifactType")
    return bool(artifact) and artifact not in CONFIG_TYPES


def _has_files(layers: object) -> bool:
    return not isinstance(layers, list) or not layers or any(map(_is_file_system, layers))


def _is_file_system(layer: object) -> bool:
    match layer:
        case {"mediaType": str(media_type)}:
            return media_type.startswith(LAYER_TYPES)
    return False


def size(manifest: dict[str, Any]) -> int:
    """How many bytes of layers, as they are compressed, a pull of the image loads; 0 if that is not known."""
    sizes = [layer.get("size") for layer in _layers(manifest)]
    return sum(each for each in sizes if type(each) is int and each > 0)


def packing(manifest: dict[str, Any]) -> Packing:
    """How an image is packed. Of layers that are packed differently, the slowest counts: gzip.

    https://github.com/awslabs/soci-snapshotter/blob/main/docs/soci-index-manifest-v2.md
    """
    annotations = manifest.get("annotations")
    if isinstance(annotations, dict) and SOCI_INDEX in annotations:
        return "soci"
    layers = _layers(manifest)
    zstd = bool(layers) and all(str(layer.get("mediaType")).endswith(("+zstd", ".zstd")) for layer in layers)
    return "zstd" if zstd else "gzip"


def _layers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    layers = manifest.get("layers")
    return [each for each in layers if isinstance(each, dict)] if isinstance(layers, list) else []


def config_digest(manifest: dict[str, Any]) -> str:
    """The digest of the image's configuration, which is a separate blob."""
    if manifest.get("schemaVersion") == 1:
        raise UnsupportedImageError(
            "The image has the format that Docker used until 2016 (schema 1). Build and push it "
            "again with a current version of Docker."
        )
    config = manifest.get("config")
    return _digest(config if isinstance(config, dict) else {})


def choose(index: dict[str, Any], *, preferred: platforms.Architecture) -> str | None:
    """The digest of the image to run: for the `preferred` CPU (`X86_64` or `ARM64`), else for the other one.

    None if the index holds only artifacts. A child without a platform is the last choice; its configuration
    names the platform. Raises UnsupportedImageError if there are images, but none that Fargate can run.
    """
    children = [child for child in _children(index) if not _is_artifact(child)]
    images = [child for child in children if child.get("mediaType") not in INDEX_TYPES]
    # Of two images for the same CPU the first counts, as in containerd.
    offers = {platforms.architecture(_platform(image)): image for image in reversed(images)}
    silent = [image for image in images if not any(platforms.parts(_platform(image)))]
    for chosen in (offers.get(preferred), offers.get("X86_64"), offers.get("ARM64"), *silent):
        if chosen:
            return _digest(chosen)
    if len(children) > len(images):
        raise UnsupportedImageError(
            "The image index lists other indexes instead of images. Push the image itself."
        )
    if images:
        raise platforms.refusal(map(_platform, images))
    return None


def _children(index: dict[str, Any]) -> list[dict[str, Any]]:
    match index:
        case {"manifests": list(children)} if not _has_a_type_of_its_own(index):
            return [child for child in children if isinstance(child, dict)]
    return []


def _is_artifact(child: dict[str, Any]) -> bool:
    """Whether a child is not an image: buildx adds attestations to an index, and SOCI its own indexes."""
    match child:
        case {"mediaType": str(media_type)} if media_type not in MEDIA_TYPES:
            return True
        case {"annotations": {"vnd.docker.reference.type": _}}:
            return True
    return _has_a_type_of_its_own(child) or "unknown" in platforms.parts(_platform(child))


def _platform(child: dict[str, Any]) -> dict[str, Any]:
    platform = child.get("platform")
    return platform if isinstance(platform, dict) else {}


def _digest(descriptor: dict[str, Any]) -> str:
    digest = descriptor.get("digest")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        said = quote(digest) if isinstance(digest, str) else "none"
        raise UnsupportedImageError(
            f"The image's manifest must have a sha256 digest, but has {said}. Build and push the image again."
        )
    return digest
