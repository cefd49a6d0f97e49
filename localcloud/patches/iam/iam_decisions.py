"""Records the calls that IAM allowed, in the folder PORTCALL_IAM_DECISIONS.

A line is a call with the policies that were evaluated. The file `test` in the folder, if it exists, names the
test that made the call. Calls that differ only in ids are written once.

MiniStack: does not record which statements decided.
AWS: does not report it either; the tests need it to find unneeded permissions.
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
from localcloud.patches.patch import Function, patch

_IDS = re.compile(r"[0-9a-f]{6,}|\d+|[A-Z0-9]{12}")


_seen: set[tuple[str, str, str, str]] = set()
_lock = threading.Lock()


def prepare(settings: Settings) -> None:
    if settings.decisions:
        settings.decisions.mkdir(parents=True, exist_ok=True)


@patch(iam_evaluator, "evaluate", when=lambda settings: settings.decisions)
def _record_allowed(original: Function, context: Any, policies: Any, *limits: Any, settings: Settings) -> Any:
    result = original(context, policies, *limits)
    if result.decision == "Allow" and settings.decisions:
        _record(context, policies, limits, settings.decisions)
    return result


def _record(context: Any, policies: Any, limits: Any, folder: Path) -> None:
    role = context.principal_arn.partition(":assumed-role/")[2].partition("/")[0]
    asked = json.dumps(context.service_context, sort_keys=True, default=str)
    key = (role, context.action, _IDS.sub("#", context.resource_arn), _IDS.sub("#", asked))
    with _lock:
        if not role or key in _seen:
            return
        _seen.add(key)
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
