"""Missing fields of a task.

MiniStack: leaves out its family group and its images' digests.
AWS: has both.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
Upstream: none known, ready to send:
    docs/upstream/ecs-run-task-group.md
Kind: fidelity
"""

from __future__ import annotations

from typing import Any

from ministack.services import ecs

from localcloud.options import Settings
from localcloud.patches.ecs.docker_client import image_digest
from localcloud.patches.patch import Function, patch


@patch(ecs, "_run_task")
def _with_group(original: Function, data: dict[str, Any]) -> Any:
    definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition", "")))
    if definition and not data.get("group"):
        data = {**data, "group": f"family:{definition['family']}"}
    return original(data)


@patch(ecs, "_attach_started_container")
def _with_digest(
    original: Function, task: dict[str, Any], container: Any, index: int, *rest: Any, settings: Settings
) -> Any:
    if index < len(task["containers"]):
        shown = task["containers"][index]
        if digest := image_digest(shown["image"], settings):
            shown["imageDigest"] = digest
    return original(task, container, index, *rest)
