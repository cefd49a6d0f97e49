"""What a task says of itself.

MiniStack: leaves out its family group and its images' digests.
AWS: has both.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

from typing import Any

from ministack.services import ecs

from localcloud.options import Settings
from localcloud.patches.ecs.docker_client import image_digest
from localcloud.patches.patch import Function, wrap


def install(settings: Settings) -> None:
    def with_group(original: Function) -> Function:
        def run_task(data: dict[str, Any]) -> Any:
            definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition", "")))
            if definition and not data.get("group"):
                data = {**data, "group": f"family:{definition['family']}"}
            return original(data)

        return run_task

    def with_digest(original: Function) -> Function:
        def attach_started_container(task: dict[str, Any], container: Any, index: int, *rest: Any) -> Any:
            if index < len(task["containers"]):
                shown = task["containers"][index]
                if digest := image_digest(shown["image"], settings):
                    shown["imageDigest"] = digest
            return original(task, container, index, *rest)

        return attach_started_container

    wrap(ecs, "_run_task", with_group)
    wrap(ecs, "_attach_started_container", with_digest)
