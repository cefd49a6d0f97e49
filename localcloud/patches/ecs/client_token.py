"""RunTask's ``clientToken``.

MiniStack: ignores it, and starts a second task.
AWS: answers with the task that it has started for the token.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ECS_Idempotency.html
Upstream: none known, ready to send:
    docs/upstream/ecs-run-task-client-token.md
Kind: fidelity
"""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import ecs

from localcloud.patches.patch import Function, patch

_answers: dict[tuple[str, str, str, str], tuple[str, Any]] = {}
_lock = threading.Lock()


@patch(ecs, "_run_task")
def _answer_once(original: Function, data: dict[str, Any]) -> Any:
    token = data.get("clientToken")
    if not token:
        return original(data)
    # Tokens are unique per cluster, as in ECS.
    cluster = str(data.get("cluster") or "default").rsplit("/", 1)[-1]
    key = (get_account_id(), get_region(), cluster, token)
    request = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    # Held while the task is registered (its start is on another thread), so that two simultaneous calls with
    # one token do not both find it unused.
    with _lock:
        known = _answers.get(key)
        if known is None:
            answer = original(data)
            if answer[0] == 200:
                _answers[key] = (request, answer)
            return answer
    if known[0] == request:
        return known[1]
    return error_response_json(
        "ConflictException",
        "The RunTask request could not be processed due to conflicts. The provided clientToken is "
        "already in use with a different RunTask request.",
        400,
    )
