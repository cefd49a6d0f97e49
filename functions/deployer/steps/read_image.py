"""ReadImage: reads the image's configuration: ports, CPU architecture, labels."""

import time

from deployer.actions import image_reading
from deployer.domain.document import Document, Image
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import image_settings, settings

IGNORED: Image = {
    "result": "ignored",
    "reason": "The push is not an app: it is a signature, a chart or a similar artifact.",
}


@ready("ecr")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> Image:
    """Return `{"result": "app", "gated": bool, "at": UNIX seconds}` and the fields of ImageSpec.

    For an artifact that is not an app it returns `{"result": "ignored", "reason"}`. Raises
    UnsupportedImageError or BadLabelError. Images are other people's code, so this step may only read the
    watched repositories.
    """
    push = Push.from_event(event, by_tag=settings().by_tag)
    config = image_settings()
    spec = image_reading.read(push.repository, push.digest, defaults=config.defaults, limits=config.limits)
    if spec is None:
        logger.info("Ignored a push that is not an app", extra={"app": push.app, "digest": push.digest})
        return IGNORED
    logger.info("Read an image", extra={"app": push.app, "ports": spec.ports, "cpu": spec.architecture})
    return {"result": "app", "gated": config.gated, **spec.document(), "at": time.time()}
