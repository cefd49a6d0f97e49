"""CheckHealth: nothing is called live that did not answer."""

import time
from typing import Any
from urllib.parse import urlsplit

from deployer import probe
from deployer.domain import endpoint
from deployer.domain.errors import NoAnswerError, TaskStoppedError, WrongImageError
from deployer.domain.task import Verdict
from deployer.observe import logger
from deployer.settings import settings


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return `{"url", "port", "status": of the answer (null for TCP), "at": UNIX seconds}`.

    Raises WrongImageError where ECS runs another image than was pushed, TaskStoppedError as soon as there is
    news of a stop, and NoAnswerError after the time-out. Where AllowedCidr keeps it out it runs inside the
    VPC, and asks at the private address.
    """
    config, image = settings(), event["image"]
    runs = event["running"]["digest"]
    if runs and runs not in image["digests"]:
        raise WrongImageError(f"ECS runs {runs}, but {image['digests'][0]} was pushed.")

    def still_runs() -> None:
        # Imported here: most apps answer before anyone needs to look.
        from deployer.aws import meeting

        task = meeting.news_of(table=config.ledger, task=event["task"]["arn"])
        if task and task.verdict is Verdict.STOPPED:
            raise TaskStoppedError(task.why_stopped())

    address = event["endpoint"]["private" if config.probe_inside else "public"]
    urls = [endpoint.probe_url(address, port, image["health"]) for port in image["ports"]]
    try:
        answer = probe.wait_until_answers(urls, timeout=image["timeout"], still_worth_it=still_runs)
    except NoAnswerError:
        # It may have died of what kept it from answering, which says more.
        still_runs()
        raise
    port = urlsplit(answer.url).port or 80
    url = endpoint.url(event["endpoint"]["public"], port, image["health"])
    logger.info("The app answers", extra={"url": url, "status": answer.status})
    return {"url": url, "port": port, "status": answer.status, "at": time.time()}
