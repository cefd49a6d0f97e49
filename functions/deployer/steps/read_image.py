"""ReadImage: reads the image's configuration: ports, CPU architecture, labels."""

import time

from deployer.actions import image_reading
from deployer.domain.deployment import NOT_AN_APP
from deployer.domain.document import Document, Image
from deployer.domain.errors import NotAnAppError
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import image_settings, settings


@ready("ecr")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> Image:
    """Return `{"result": "app", "gated": bool, "at": UNIX seconds}` and the fields of ImageSpec.

    A restart has its image already, which AdmitPush has compared with the ledger. Raises NotAnAppError,
    UnsupportedImageError or BadLabelError. Images are other people's code, so this step may only read the
    watched repositories.
    """
    if "restart" in event:
        return {**event["image"], "at": time.time()}
    push = Push.from_event(event, by_tag=settings().by_tag)
    config = image_settings()
    spec = image_reading.read(push.repository, push.digest, defaults=config.defaults, limits=config.limits)
    if spec is None:
        raise NotAnAppError(NOT_AN_APP)
    logger.info("Read an image", extra={"app": push.app, "ports": spec.ports, "cpu": spec.architecture})
    return {"result": "app", "gated": config.gated, **spec.document(), "at": time.time()}
