"""Operate: does what an operator asks for, such as deploying once more what a tag points to."""

import uuid
from datetime import UTC, datetime
from typing import Any

from deployer.aws import ecr, ledger, step_functions
from deployer.domain.errors import DeployError
from deployer.domain.operation import NotPossible, Operation
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.settings import settings, watch_settings


@logger.inject_lambda_context
def handler(event: Any, context: object) -> dict[str, str]:
    """Take what `Operation.from_event` reads.

    Returns `{"status": "started", "deployment", "app", "tag", "digest"}`, or `{"status": "refused", "reason"}`
    for whoever asked: what comes of a deployment is told by mail, as of any other.
    """
    try:
        operation = Operation.from_event(event, by_tag=settings().by_tag)
        return _deploy(operation)
    except (NotPossible, DeployError) as error:
        logger.warning("Refused an operation", extra={"reason": str(error)})
        return {"status": "refused", "reason": str(error)}


def _deploy(operation: Operation) -> dict[str, str]:
    """Start the workflow for what the tag points to now, as if it had been pushed this moment."""
    repository = operation.app.partition(":")[0]
    tag = operation.tag or _current_tag(operation.app)
    watched = watch_settings()
    if not (watched.watches(repository) and watched.watches_tag(tag)):
        raise NotPossible(
            f"Portcall does not deploy {repository}:{tag}. It deploys from repositories like "
            f"{' or '.join(filter(None, watched.repositories))} and tags like {' or '.join(watched.tags)} "
            "(RepositoryName, RepositoryPattern and TagPattern)."
        )
    digest = ecr.digest_of(repository=repository, tag=tag)
    if not digest:
        raise NotPossible(f"There is no image {repository}:{tag}. Push it, and it will be deployed.")
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    push = Push(f"deploy-{uuid.uuid4().hex}", now, operation.app, tag, digest)
    document = push.event() | {"asked": True, "found": {"at": push.pushed_at}}
    step_functions.start_execution(
        machine=watch_settings().state_machine, name=push.deployment, document=document
    )
    logger.info("Deploys again", extra={"app": push.app, "tag": tag, "digest": digest})
    return {
        "status": "started",
        "deployment": push.deployment,
        "app": push.app,
        "tag": tag,
        "digest": digest,
    }


def _current_tag(app: str) -> str:
    current = ledger.current(table=settings().ledger, app=app)
    return current.tag if current else "latest"
