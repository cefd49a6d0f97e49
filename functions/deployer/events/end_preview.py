"""On *ECR Image Action* DELETE: a preview ends when its tag is deleted."""

import time
from typing import Any

from deployer.actions import previews
from deployer.aws import ecr, ledger
from deployer.domain.sweep import TAG_DELETED
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import settings


@ready("dynamodb")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> None:
    """Take the event. It may be late, and the tag may exist again.

    The ledger is read before the tag, so a later push of the tag is not ended.
    """
    config, detail = settings(), event["detail"]
    repository, tag = detail["repository-name"], detail.get("image-tag") or ""
    app = f"{repository}:{tag}"
    if not config.is_preview(app):
        return
    current = ledger.current(app=app)
    known = ledger.tag(app=app, tag=tag)
    if ecr.digest_of(repository=repository, tag=tag):
        return
    # If the same image is pushed again, that counts as a new push.
    if known and known.digest:
        as_of = max(known.as_of, int(time.time()))
        ledger.record_tag(app=app, tag=tag, digest="", as_of=as_of, seen=known)
    if current:
        previews.end_app(app=app, current=current, reason=TAG_DELETED)
