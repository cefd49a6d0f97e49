"""Acting, through the one function of the stack: what may be asked of it, and asking."""

import json
import re
from collections.abc import Mapping
from typing import Any

from deployer.aws.client import client

from portcall.desk.target import Target
from portcall.desk.trouble import Trouble

# What it answers to an action that it does not know names those that it does.
KNOWN = re.compile(r"must be one of: (.+)\.$")


def operate(target: Target, **words: str) -> dict[str, Any]:
    """Ask for an action; what the function answers. Raises Trouble where it refuses, with its reason."""
    answer = invoke(target, words)
    if answer.get("status") == "refused" or "errorMessage" in answer:
        raise Trouble(str(answer.get("reason") or answer.get("errorMessage")))
    return answer


def offered(target: Target) -> frozenset[str]:
    """The actions that this stack knows; an older one knows fewer. Raises Trouble for who may not act."""
    found = KNOWN.search(str(invoke(target, {"action": "none"}).get("reason", "")))
    return frozenset(found[1].split(", ")) if found else frozenset()


def invoke(target: Target, words: Mapping[str, str]) -> dict[str, Any]:
    """The function's answer, whatever it is."""
    payload = json.dumps(words).encode()

    def ask(outputs: dict[str, str]) -> dict[str, Any]:
        answer = client("lambda").invoke(FunctionName=outputs["OperateFunctionName"], Payload=payload)
        said = json.loads(answer["Payload"].read())
        return said if isinstance(said, dict) else {"errorMessage": str(said)}

    return target.ask(ask)
