"""ReadImage: reads the image's configuration: ports, CPU architecture, labels."""

import time
from typing import Any

from deployer.aws import ecr
from deployer.domain import image
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.settings import image_settings, settings

IGNORED = {
    "result": "ignored",
    "reason": "The push is not an app: it is a signature, a chart or a similar artifact.",
}


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return `{"result": "app", "gated": bool, "at": UNIX seconds}` and the fields of ImageSpec.

    For an artifact that is not an app it is `{"result": "ignored", "reason"}`.
    Raises UnsupportedImageError or BadLabelError. Images are other people's code: this step may read the
    watched repositories, and nothing else.
    """
    push = Push.from_event(event, by_tag=settings().by_tag)
    spec = _read(push)
    if spec is None:
        logger.info("Ignored what is no app", extra={"app": push.app, "digest": push.digest})
        return IGNORED
    logger.info("Read an image", extra={"app": push.app, "ports": spec.ports, "cpu": spec.architecture})
    return {"result": "app", "gated": image_settings().gated, **spec.document(), "at": time.time()}


def _read(push: Push) -> image.ImageSpec | None:
    digests = [push.digest]
    manifest = _manifest(push.repository, push.digest)
    if image.is_index(manifest):
        chosen = image.choose(manifest, preferred=image_settings().defaults.architecture)
        if chosen is None:
            return None
        digests.append(chosen)
        manifest = _manifest(push.repository, chosen)
    if not image.is_app(manifest):
        return None
    blob = ecr.blob(repository=push.repository, digest=image.config_digest(manifest))
    return image.spec(
        image.parse(blob), digests=digests, defaults=image_settings().defaults, limits=image_settings().limits
    )


def _manifest(repository: str, digest: str) -> dict[str, Any]:
    return image.parse(ecr.manifest(repository=repository, digest=digest, media_types=image.MEDIA_TYPES))
