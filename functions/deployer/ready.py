"""What each function does as it loads, and how it is loaded before it is needed.

See `WakeOnPush` and `WakeOnTaskStart` in the template.
"""

import gc
import os
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from deployer.domain.errors import BranchError
from deployer.observe import logger

Event = TypeVar("Event")
Result = TypeVar("Result")
Handler = Callable[[Event, object], Result]

# The input of the two rules. No event of AWS looks like it, nor does a document of the workflow.
WAKE = {"wake": True}


def ready(*services: str) -> Callable[[Handler[Event, Result]], Handler[Any, Result | None]]:
    """A handler that makes its clients of these APIs of AWS while Lambda loads it, and does nothing for WAKE.

    https://docs.aws.amazon.com/lambda/latest/dg/best-practices.html: "Initialize SDK clients [...] outside of
    the function handler". Elsewhere, in a test say, the first call makes them.
    """
    if "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ:
        _load(services)

    def decorate(handler: Handler[Event, Result]) -> Handler[Any, Result | None]:
        @wraps(handler)
        def unless_woken(event: Any, context: object) -> Result | None:
            if event == WAKE:
                return None
            try:
                return handler(event, context)
            except BranchError as branch:
                logger.info("Took a branch", extra={"branch": type(branch).__name__, "reason": str(branch)})
                # Lambda logs what is raised with its stack, which nobody needs here.
                raise branch.with_traceback(None) from None

        return unless_woken

    return decorate


def _load(services: tuple[str, ...]) -> None:
    if services:
        # Imported here: the health check needs no client where the app answers.
        from deployer.aws.client import client

        for service in services:
            client(service)
    gc.freeze()
    gc.enable()
