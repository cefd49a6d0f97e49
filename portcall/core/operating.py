"""Calls the stack's function Operate: the supported actions, and requests."""

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from deployer.aws.client import client
from deployer.domain.deployment import DEPLOYED, ENDED, FAILED, RECORDED, SUPERSEDED

from portcall.core.target import Target
from portcall.core.trouble import Exit, Trouble

# Its answer to an unknown action lists the known ones.
KNOWN = re.compile(r"must be one of: (.+)\.$")
POLL_SECONDS = 2.0
KINDS = {"no such thing": Exit.NO_SUCH_THING, "not known": Exit.NOT_KNOWN}
# The outcome of a requested deployment, in the words of `status`.
OUTCOMES = {
    DEPLOYED: ("live", Exit.YES),
    FAILED: ("failed", Exit.NO),
    SUPERSEDED: ("superseded", Exit.SUPERSEDED),
    RECORDED: ("recorded", Exit.NO),
    ENDED: ("ended", Exit.NO),
}


def operate(target: Target, **words: str) -> dict[str, Any]:
    """Request an action; return the function's answer. Raises Trouble with the reason if it refuses.

    The request has the caller's name, which nobody checks, and an id, so that it may be sent twice.
    """
    asked = {"id": uuid.uuid4().hex, **words}
    if "by" not in asked:
        asked["by"] = claimed_name(target)
    answer = invoke(target, asked)
    if "errorMessage" in answer:
        look = f"portcall status {words.get('app', '')}".strip()
        raise Trouble(
            f"It is not known whether this was done: {answer['errorMessage']} Check with: {look}",
            Exit.NOT_KNOWN,
        )
    if answer.get("status") == "refused":
        reason = str(answer.get("reason"))
        if (known := KNOWN.search(reason)) and words["action"] not in known[1].split(", "):
            reason = f"The stack {target.stack} is older than this command: it supports {known[1]}. Upgrade it."
        raise Trouble(reason, KINDS.get(str(answer.get("kind")), Exit.NO))
    return answer


def offered(target: Target) -> frozenset[str]:
    """The actions that this stack supports. Raises Trouble if the caller may not act."""
    found = KNOWN.search(str(invoke(target, {"action": "none"}).get("reason", "")))
    return frozenset(found[1].split(", ")) if found else frozenset()


def claimed_name(target: Target) -> str:
    """The caller's ARN; this call needs no permission."""
    arn = target.ask(lambda _: client("sts").get_caller_identity()["Arn"])
    return str(arn)[:500]


def follow(
    target: Target, app: str, deployment: str, *, timeout: float, speak: Callable[[str], object]
) -> dict[str, Any]:
    """Wait for the outcome of a deployment, until the time is up.

    The answer has `outcome`, in the words of `status`, and the `exit_code`. AWS's transient errors are retried.
    """
    began = time.monotonic()
    trouble = ""
    while True:
        passed = time.monotonic() - began
        try:
            answer = operate(target, action="follow", app=app, to=deployment, by="")
            trouble = ""
            if answer["status"] == "ended":
                outcome, code = OUTCOMES.get(answer["outcome"], (answer["outcome"], Exit.NO))
                return {**answer, "outcome": outcome, "exit_code": int(code)}
        except Trouble as error:
            if error.exit_code != Exit.NOT_KNOWN:
                raise
            trouble = error.message
        if passed >= timeout:
            said = trouble or (
                f"The deployment is still in progress after {timeout:.0f} s. "
                f"To see it: portcall show {deployment}"
            )
            return {
                "deployment": deployment,
                "outcome": "unknown",
                "exit_code": int(Exit.NOT_KNOWN),
                "reason": said,
                "hint": "",
                "url": "",
                "serving": "",
            }
        speak(trouble or f"{app} is being deployed, {passed:.0f} s")
        time.sleep(min(POLL_SECONDS, max(0.0, timeout - passed)))


def invoke(target: Target, words: Mapping[str, str]) -> dict[str, Any]:
    """Call the function and return its answer."""
    payload = json.dumps(words).encode()

    def ask(outputs: dict[str, str]) -> dict[str, Any]:
        answer = client("lambda").invoke(FunctionName=outputs["OperateFunctionName"], Payload=payload)
        said = json.loads(answer["Payload"].read())
        return said if isinstance(said, dict) else {"errorMessage": str(said)}

    return target.ask(ask)
