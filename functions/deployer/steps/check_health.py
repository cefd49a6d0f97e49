"""CheckHealth: nothing is called live that did not answer."""

import time
from typing import Any
from urllib.parse import urljoin

from deployer import probe
from deployer.domain.errors import NoAnswerError, TaskStoppedError
from deployer.domain.task import Verdict
from deployer.observe import logger
from deployer.settings import settings


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return `{"status": of the answer, "at": UNIX seconds}`.

    Raises TaskStoppedError as soon as there is news of a stop, and NoAnswerError after the time-out. Where
    AllowedCidr keeps it out it runs inside the VPC, and asks at the private address.
    """
    config = settings()

    def still_runs() -> None:
        # Imported here: most apps answer before anyone needs to look.
        from deployer.aws import meeting

        task = meeting.news_of(table=config.ledger, task=event["task"]["arn"])
        if task and task.verdict is Verdict.STOPPED:
            raise TaskStoppedError(task.why_stopped())

    endpoint = event["endpoint"]
    url = urljoin(endpoint["privateUrl"] if config.probe_inside else endpoint["url"], config.health_path)
    status = probe.wait_until_answers(url, timeout=config.health_timeout, still_worth_it=still_runs)
    if status is None:
        still_runs()
        raise NoAnswerError(f"The app runs, but {url} did not answer within {config.health_timeout} seconds.")
    logger.info("The app answers", extra={"url": url, "status": status})
    return {"status": status, "at": time.time()}
