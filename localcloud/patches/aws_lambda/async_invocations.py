"""Asynchronous invocations that wait when Lambda is busy.

MiniStack: drops an EventBridge event if no function has free capacity.
AWS: keeps a throttled event for up to six hours, or as long as the function says.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

import contextvars
import json
import logging
import time
from typing import Any

from ministack.services import eventbridge, lambda_svc

from localcloud.patches.patch import Function, patch

log = logging.getLogger("portcall.async_invocations")

# AWS retries a throttled event for up to six hours, or MaximumEventAgeInSeconds, with pauses of a second to
# five minutes. Here a slot is free after one invocation, so the longest pause is shorter.
GIVE_UP_SECONDS = 6 * 3600
LONGEST_PAUSE_SECONDS = 5.0

_asynchronous: contextvars.ContextVar[bool] = contextvars.ContextVar("asynchronous", default=False)


def is_asynchronous() -> bool:
    """Whether this thread's invocation is asynchronous."""
    return _asynchronous.get()


@patch(lambda_svc, "_execute_function")
def _wait_for_a_slot(original: Function, func: dict[str, Any], event: Any) -> Any:
    """Wait for free capacity. Throttling does not count towards MaximumRetryAttempts."""
    result = original(func, event)
    config = (func.get("event_invoke_configs") or {}).get("$LATEST") or {}
    within = config.get("MaximumEventAgeInSeconds", GIVE_UP_SECONDS)
    started, pause = time.monotonic(), 0.1
    while result.get("throttle") and _asynchronous.get() and time.monotonic() - started < within:
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
        result = original(func, event)
    return result


@patch(lambda_svc, "invoke_async_with_retry")
def _mark(original: Function, func: dict[str, Any], event: Any) -> None:
    token = _asynchronous.set(True)
    try:
        original(func, event)
    finally:
        _asynchronous.reset(token)


@patch(eventbridge, "_dispatch_to_lambda")
def _invoke_like_any_event(original: Function, arn: str, payload: str) -> None:
    func, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not func or not config:
        log.warning("EventBridge: function %s does not exist", name)
        return
    lambda_svc.invoke_async_with_retry(
        lambda_svc._execution_record_for_config(func, config), json.loads(payload)
    )
