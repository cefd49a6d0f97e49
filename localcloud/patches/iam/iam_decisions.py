"""With PORTCALL_IAM_DECISIONS, a folder: the calls that IAM let through, to be asked about once more.

A line is a call with the statements that decided it. `test` in the folder, if somebody writes it, says on whose
behalf. Calls that differ in nothing but ids are written once.

MiniStack: forgets which statements decided.
AWS: tells it to nobody either; the tests ask which permissions they need.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
Upstream: none known
Kind: option (PORTCALL_IAM_DECISIONS)
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator

from localcloud.options import Settings
from localcloud.patches.patch import Function, wrap

_IDS = re.compile(r"[0-9a-f]{6,}|\d+|[A-Z0-9]{12}")


def install(settings: Settings) -> None:
    if settings.decisions:
        settings.decisions.mkdir(parents=True, exist_ok=True)
        wrap(iam_evaluator, "evaluate", _recorded(settings.decisions))


def _recorded(folder: Path) -> Any:
    seen: set[tuple[str, str, str, str]] = set()
    lock = threading.Lock()

    def record(context: Any, policies: Any, limits: Any) -> None:
        role = context.principal_arn.partition(":assumed-role/")[2].partition("/")[0]
        asked = json.dumps(context.service_context, sort_keys=True, default=str)
        key = (role, context.action, _IDS.sub("#", context.resource_arn), _IDS.sub("#", asked))
        with lock:
            if not role or key in seen:
                return
            seen.add(key)
            test = folder / "test"
            line = {
                "role": role,
                "test": test.read_text() if test.exists() else "",
                "context": dataclasses.asdict(context),
                "policies": [[dataclasses.asdict(each) for each in document] for document in policies],
                "limits": [
                    [[dataclasses.asdict(each) for each in document] for document in limit] for limit in limits
                ],
            }
            with (folder / f"{os.getpid()}.jsonl").open("a") as file:
                file.write(json.dumps(line, default=str) + "\n")

    def wrapper(original: Function) -> Function:
        def evaluate(context: Any, policies: Any, *limits: Any) -> Any:
            result = original(context, policies, *limits)
            if result.decision == "Allow":
                record(context, policies, limits)
            return result

        return evaluate

    return wrapper
