"""RegisterTaskDefinition: registers a revision for exactly the image that was pushed."""

import time

from deployer.actions import outcomes, slot_admission, superseded
from deployer.aws import ecs, ledger, ssm
from deployer.domain import parameters, task_definition
from deployer.domain.document import Document, TaskDefinition
from deployer.domain.errors import FindingsNotCheckedError, SupersededError
from deployer.domain.image_spec import ImageSpec
from deployer.domain.push import Push
from deployer.domain.superseded import NEWER_PUSH
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import Settings, previews_read_production, settings


@ready("dynamodb", "ecs", "ssm")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> TaskDefinition:
    """Return `{"result": "registered", "arn": revision, "at": UNIX seconds}`.

    RegisterTaskDefinition has the lowest quota of all calls, so in a burst pushes wait here, and one that is
    superseded meanwhile ends here with SupersededError. A repeated call registers one more revision, which does
    no harm. A restart uses the existing revision. Raises FindingsNotCheckedError if CheckFindings must come
    first.
    """
    config = settings()
    push = Push.from_event(event, by_tag=config.by_tag)
    if "restart" in event:
        return {"result": "registered", "arn": event["restart"]["revision"], "at": time.time()}
    if event["image"]["gated"] and "findings" not in event:
        raise FindingsNotCheckedError("The scan of the image was not checked.")
    if not ledger.is_newest(push=push, sequence=event["admission"]["sequence"]):
        superseded.supersede(push, **outcomes.so_far(event, reason=NEWER_PUSH))
        raise SupersededError(NEWER_PUSH)
    if not slot_admission.take(push):
        raise SupersededError("The deployment has ended already.")
    revision = ecs.register_task_definition(
        task_definition.request(
            push,
            ImageSpec.from_document(event["image"]),
            secrets=_secrets(push, config),
            stack=config.stack,
            registry=config.registry,
            execution_role=config.execution_role,
            log_group=config.log_group,
            region=config.region,
        )
    )
    logger.info("Registered a revision", extra={"app": push.app, "digest": push.digest, "revision": revision})
    return {"result": "registered", "arn": revision, "at": time.time()}


def _secrets(push: Push, config: Settings) -> dict[str, str]:
    paths = parameters.paths(
        push.repository,
        is_preview=config.is_preview(push.app),
        previews_read_production=previews_read_production(),
    )
    return {name: arn for path in paths for name, arn in ssm.parameters(path=path).items()}
