"""CheckHealth: waits until the app answers."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from deployer.actions import probe
from deployer.domain import answer as answers
from deployer.domain import endpoint
from deployer.domain.document import Document, Health
from deployer.domain.errors import NoAnswerError, NoAnswerYetError, WrongImageError
from deployer.domain.health_check import WORKER_SECONDS
from deployer.domain.image_spec import ImageSpec
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import settings

# A new account may run ten functions at once. So one call waits only this long for an answer, and the workflow
# calls again while time is left.
MAX_CALL_SECONDS = 30.0
# Each call waits at least this long, however late it starts.
MIN_CALL_SECONDS = 5.0
# Shorter than a call: the next call does not know what answered before.
AUXILIARY_SECONDS = 15.0


@ready()
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> Health:
    """Return `{"result": "answered", "url", "port", "also": [ports], "status", "notes", "at": UNIX seconds}`.

    The status is null for TCP. `also` is the port that a redirect of the app points to. A worker has no port,
    and its URL is "".

    Raises NoAnswerYetError after half a minute without an answer, if there is time left, and NoAnswerError
    after the time-out, which counts from when the address was found. Raises WrongImageError if ECS runs another
    image than the pushed one, and TaskStoppedError if the task has stopped. If AllowedCidr would block it, this
    function runs inside the VPC and uses the private address.
    """
    config, image = settings(), event["image"]
    runs = event["running"]["digest"]
    if runs and runs != image["digests"][-1]:
        raise WrongImageError(f"ECS runs {runs}, but {image['digests'][-1]} was pushed.")

    def raise_if_stopped() -> None:
        # Imported here: most apps answer before this is needed.
        from deployer.aws import task_states

        task_states.raise_if_stopped(task=event["task"]["arn"])

    if image["health"] == endpoint.NONE:
        return _worker(event["endpoint"]["at"], raise_if_stopped)
    address = event["endpoint"]["private" if config.probe_inside else "public"]
    urls = [endpoint.probe_url(address, port, image["health"]) for port in image["ports"]]
    asked_for = max(0.0, time.time() - event["endpoint"]["at"])
    left = max(MIN_CALL_SECONDS, image["timeout"] - asked_for)
    try:
        answer = probe.wait_until_answers(
            urls,
            timeout=min(left, MAX_CALL_SECONDS),
            raise_if_stopped=raise_if_stopped,
            asked_for=asked_for,
            patience=_patience(urls, ImageSpec.from_document(image)),
        )
    except NoAnswerError as error:
        # If the task has stopped, the reason of the stop says more.
        raise_if_stopped()
        if left > MAX_CALL_SECONDS:
            raise NoAnswerYetError(str(error)) from error
        raise
    parts = urlsplit(answer.url)
    port = parts.port or 80
    url = endpoint.url(event["endpoint"]["public"], port, parts.scheme)
    note = answers.note(answer.status, parts.path, answer.location)
    leads_to = answers.redirect_port(answer.location, address, image["ports"])
    logger.info("The app answers", extra={"url": url, "status": answer.status})
    return {
        "result": "answered",
        "url": url,
        "port": port,
        "also": [leads_to] if leads_to not in (None, port) else [],
        "status": answer.status,
        "notes": [note] if note else [],
        "at": time.time(),
    }


def _worker(since: float, raise_if_stopped: Callable[[], None]) -> Health:
    """A worker, which listens on no port, is live once it has run for WORKER_SECONDS."""
    while (left := since + WORKER_SECONDS - time.time()) > 0:
        raise_if_stopped()
        time.sleep(min(left, 3.0))
    raise_if_stopped()
    note = f"It listens on no port, so Portcall only checked that it ran for {WORKER_SECONDS:.0f} seconds."
    return {
        "result": "answered",
        "url": "",
        "port": None,
        "also": [],
        "status": None,
        "notes": [note],
        "at": time.time(),
    }


def _patience(urls: list[str], image: ImageSpec) -> dict[str, float]:
    """How long other ports may take once a metrics or debugger port answers; these often open early."""
    named = zip(urls, image.candidates, strict=False)
    return {url: AUXILIARY_SECONDS for url, candidate in named if candidate.is_auxiliary}
