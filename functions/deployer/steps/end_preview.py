"""On *ECR Image Action* DELETE: a preview ends when its tag is deleted."""

from typing import Any

from deployer import previews
from deployer.aws import ecr, ledger
from deployer.domain.sweep import TAG_DELETED
from deployer.observe import logger
from deployer.settings import settings


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> None:
    """Take the event as it is: it may be late, and the tag may be there again."""
    config, detail = settings(), event["detail"]
    repository, tag = detail["repository-name"], detail.get("image-tag") or ""
    if not config.is_preview(tag) or ecr.digest_of(repository=repository, tag=tag):
        return
    app = f"{repository}:{tag}"
    current = ledger.current(table=config.ledger, app=app)
    if current:
        previews.end(app=app, current=current, reason=TAG_DELETED)
