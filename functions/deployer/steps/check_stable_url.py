"""CheckStableUrl: waits until the stable URL points to the new version."""

import time

from deployer.actions import probe
from deployer.domain.document import Document, StableUrlCheck
from deployer.domain.errors import NoAnswerError
from deployer.observe import logger
from deployer.ready import ready

# API Gateway deploys a change within seconds; until then the previous version may answer.
SETTLE_SECONDS = 10.0
TIMEOUT_SECONDS = 60.0


@ready()
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> StableUrlCheck:
    """Return `{"status": of the answer, "at": UNIX seconds}`; raise NoAnswerError after a minute.

    If the URL pointed to another version before, this first waits for the change. Like CheckHealth, this
    function talks to other people's code; it has no permissions in AWS.
    """
    url = event["switch"]["url"]
    if event["switch"]["takesOver"]:
        time.sleep(SETTLE_SECONDS)
    try:
        answer = probe.wait_until_answers(
            [url.rstrip("/") + event["image"]["health"]], timeout=TIMEOUT_SECONDS, raise_if_stopped=lambda: None
        )
    except NoAnswerError as error:
        raise NoAnswerError(f"The stable URL {url} does not reach the new version. {error}") from error
    logger.info("The stable URL reaches the app", extra={"url": url, "status": answer.status})
    return {"status": answer.status, "at": time.time()}
