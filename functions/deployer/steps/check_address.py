"""CheckAddress: the version before serves until the address that stays leads to the new one."""

import re
import time
from typing import Any

from deployer import probe
from deployer.domain import endpoint
from deployer.domain.errors import NoAnswerError
from deployer.observe import logger

# API Gateway takes a few seconds to deploy a change.
WITHIN = 60.0
VERSION = re.compile(r"[0-9]{1,18}", re.ASCII)


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return `{"status": of the answer, "at": UNIX seconds}`; raise NoAnswerError after a minute.

    The version before may be what answers meanwhile, so only an answer counts that tells the new version or,
    where it has been overtaken, a later one. Like CheckHealth this talks to other people's code, and may do
    nothing in AWS.
    """
    url, version = event["switch"]["url"], event["switch"]["version"]

    def leads_here(headers: probe.Headers) -> bool:
        seen = headers.get(endpoint.MARK, "")
        # At most as long as a version gets: Python refuses to read a number of some thousand digits.
        return bool(VERSION.fullmatch(seen)) and int(seen) >= version

    try:
        answer = probe.wait_until_answers(
            [url.rstrip("/") + event["image"]["health"]],
            timeout=WITHIN,
            still_worth_it=lambda: None,
            counts=leads_here,
        )
    except NoAnswerError as error:
        raise NoAnswerError(f"Its address {url} does not lead to it. {error}") from error
    logger.info("The address leads to the app", extra={"url": url, "status": answer.status})
    return {"status": answer.status, "at": time.time()}
