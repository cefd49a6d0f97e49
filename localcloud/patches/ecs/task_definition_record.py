"""What a task definition says of itself.

MiniStack: has an empty string or null where nothing was given, which RegisterTaskDefinition would refuse.
AWS: leaves that out, so that what is described can be registered again.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import json_response
from ministack.services import ecs

from localcloud.patches.patch import Function, patch


@patch(ecs, "_register_task_definition")
def _leave_out_what_was_not_given(original: Function, data: dict[str, Any]) -> Any:
    answer = original(data)
    status, _, body = answer
    if status != 200:
        return answer
    said = json.loads(body)
    definition = ecs._task_defs[f"{said['taskDefinition']['family']}:{said['taskDefinition']['revision']}"]
    for name in [name for name, value in definition.items() if value in ("", None)]:
        del definition[name]
    return json_response({**said, "taskDefinition": definition})
