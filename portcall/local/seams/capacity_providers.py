"""Capacity providers that a cluster has not: MiniStack runs a task on any."""

from __future__ import annotations

from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import ecs

from portcall.local.options import Settings
from portcall.local.seams.seam import Function, wrap


def install(settings: Settings) -> None:
    def known_to_the_cluster(original: Function) -> Function:
        def launch_choice(data: dict[str, Any], cluster: dict[str, Any]) -> Any:
            launch_type, strategy, refused = original(data, cluster)
            wanted = {item["capacityProvider"] for item in strategy or []}
            if not refused and wanted - set(cluster["capacityProviders"]):
                refused = error_response_json(
                    "InvalidParameterException",
                    "The specified capacity provider strategy cannot contain a capacity provider that is not "
                    "associated with the cluster. Associate the capacity provider with the cluster and try "
                    "again.",
                )
            return launch_type, strategy, refused

        return launch_choice

    wrap(ecs, "_launch_choice", known_to_the_cluster)
