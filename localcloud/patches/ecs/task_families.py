"""RegisterTaskDefinition accepts one revision of a family at a time.

MiniStack: registers any number at once.
AWS: answers ClientException: Too many concurrent attempts to create a new revision.
    https://github.com/hashicorp/terraform-provider-aws/issues/9777
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

import threading
import time
from typing import Any

from ministack.core.responses import AccountScopedDict, error_response_json
from ministack.services import ecs

from localcloud.patches.patch import Function, patch

# How long ECS needs for one is not documented; here it takes no time.
BUSY_SECONDS = 0.5

_busy_until = AccountScopedDict()
_lock = threading.Lock()


@patch(ecs, "_register_task_definition")
def _one_at_a_time(original: Function, data: dict[str, Any]) -> Any:
    family, now = data.get("family"), time.monotonic()
    with _lock:
        if family and now < _busy_until.get(family, 0.0):
            message = "Too many concurrent attempts to create a new revision of the specified family."
            return error_response_json("ClientException", message, 400)
        _busy_until[family] = now + BUSY_SECONDS
    return original(data)
