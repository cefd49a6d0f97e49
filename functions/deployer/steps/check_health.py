"""CheckHealth: nothing is called live that did not answer."""

import time
from typing import Any
from urllib.parse import urlsplit

from deployer import probe
from deployer.domain import endpoint
from deployer.domain.errors import NoAnswerError, NoAnswerYetError, TaskStoppedError, WrongImageError
from deployer.domain.task import Verdict
from deployer.observe import logger
from deployer.settings import settings

# A new account may run ten functions at once, of all kinds: an app that does not answer is asked for so long
# by one call, and the workflow calls again while it has time left.
LOOK_SECONDS = 30.0
# For so long it is asked in any case, however late a call comes about.
LEAST_SECONDS = 5.0


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return `{"url", "port", "status": of the answer (null for TCP), "at": UNIX seconds}`.

    Raises WrongImageError where ECS runs another image than was pushed, TaskStoppedError as soon as there is
    news of a stop, NoAnswerYetError after half a minute, and NoAnswerError once the time-out is over, which
    counts from when the address was found. Where AllowedCidr keeps it out it runs inside the VPC, and asks at
    the private address.
    """
    config, image = settings(), event["image"]
    runs = event["running"]["digest"]
    if runs and runs != image["digests"][-1]:
        raise WrongImageError(f"ECS runs {runs}, but {image['digests'][-1]} is what was pushed.")

    def still_runs() -> None:
        # Imported here: most apps answer before anyone needs to look.
        from deployer.aws import meeting

        task = meeting.news_of(table=config.ledger, task=event["task"]["arn"])
        if task and task.verdict is Verdict.STOPPED:
            raise TaskStoppedError(task.why_stopped())

    address = event["endpoint"]["private" if config.probe_inside else "public"]
    urls = [endpoint.probe_url(address, port, image["health"]) for port in image["ports"]]
    asked_for = max(0.0, time.time() - event["endpoint"]["at"])
    left = max(LEAST_SECONDS, image["timeout"] - asked_for)
    try:
        answer = probe.wait_until_answers(
            urls, timeout=min(left, LOOK_SECONDS), still_worth_it=still_runs, asked_for=asked_for
        )
    except NoAnswerError as error:
        # It may have died of what kept it from answering, which says more.
        still_runs()
        if left > LOOK_SECONDS:
            raise NoAnswerYetError(str(error)) from error
        raise
    port = urlsplit(answer.url).port or 80
    url = endpoint.url(event["endpoint"]["public"], port, image["health"])
    logger.info("The app answers", extra={"url": url, "status": answer.status})
    return {"url": url, "port": port, "status": answer.status, "at": time.time()}
