"""Reads from ECR how an image is to run."""

from dataclasses import replace
from typing import Any

from deployer.aws import ecr
from deployer.domain import image
from deployer.domain.image_defaults import Defaults, Limits


def read(repository: str, digest: str, *, defaults: Defaults, limits: Limits) -> image.ImageSpec | None:
    """The settings of an image, None for an artifact that is not an app.

    Raises UnsupportedImageError or BadLabelError.
    """
    digests = [digest]
    manifest = _manifest(repository, digest)
    if image.is_index(manifest):
        chosen = image.choose(manifest, preferred=defaults.architecture)
        if chosen is None:
            return None
        digests.append(chosen)
        manifest = _manifest(repository, chosen)
    if not image.is_app(manifest):
        return None
    blob = ecr.blob(repository=repository, digest=image.config_digest(manifest))
    spec = image.spec(image.parse(blob), digests=digests, defaults=defaults, limits=limits)
    return replace(spec, size=image.size(manifest), packing=image.packing(manifest))


def _manifest(repository: str, digest: str) -> dict[str, Any]:
    return image.parse(ecr.manifest(repository=repository, digest=digest, media_types=image.MEDIA_TYPES))
