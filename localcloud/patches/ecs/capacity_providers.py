"""Capacity providers of a cluster.

MiniStack: accepts any provider, and its CloudFormation has no AWS::ECS::ClusterCapacityProviderAssociations.
AWS: refuses providers that are not associated with the cluster, and to remove providers that tasks use.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
Upstream: none known, ready to send:
    docs/upstream/ecs-run-task-capacity-provider.md
Kind: core
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import ecs
from ministack.services.cloudformation import provisioners

from localcloud.patches.patch import Function, add_resource, patch

RESOURCE_TYPE = "AWS::ECS::ClusterCapacityProviderAssociations"


@patch(ecs, "_launch_choice")
def _known_to_the_cluster(original: Function, data: dict[str, Any], cluster: dict[str, Any]) -> Any:
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


@patch(ecs, "_put_cluster_capacity_providers")
def _refuse_what_is_in_use(original: Function, data: dict[str, Any]) -> Any:
    cluster = ecs._clusters.get(ecs._resolve_cluster_name(data.get("cluster", "default")))
    if cluster:
        removed = set(cluster["capacityProviders"]) - set(data.get("capacityProviders", []))
        used = {
            task.get("capacityProviderName")
            for task in ecs._tasks.values()
            if task["clusterArn"] == cluster["clusterArn"] and task["lastStatus"] != "STOPPED"
        }
        if removed & used:
            return error_response_json(
                "ResourceInUseException",
                "The specified capacity provider is in use and cannot be removed.",
            )
    return original(data)


@add_resource(RESOURCE_TYPE, "create")
def _create(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
    _put(
        properties["Cluster"],
        properties["CapacityProviders"],
        provisioners._pascal_to_camel(properties["DefaultCapacityProviderStrategy"]),
    )
    return properties["Cluster"], {}


@add_resource(RESOURCE_TYPE, "update", replacing=("Cluster",))
def _update(cluster: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
    return _create("", new, stack)


@add_resource(RESOURCE_TYPE, "delete")
def _delete(cluster: str, properties: dict[str, Any]) -> None:
    if cluster in ecs._clusters:
        _put(cluster, [], [])


def _put(cluster: str, providers: list[str], strategy: list[dict[str, Any]]) -> None:
    status, _headers, body = ecs._put_cluster_capacity_providers(
        {
            "cluster": cluster,
            "capacityProviders": providers,
            "defaultCapacityProviderStrategy": strategy,
        }
    )
    if status != 200:
        raise ValueError(json.loads(body)["message"])
