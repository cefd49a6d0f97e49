"""Images in the account's ECR.

MiniStack: lets Docker pull them from the real ECR.
AWS: pulls them from the account's registry.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/ECR_on_ECS.html
Upstream: none known
Kind: core
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import requests
import urllib3
from docker.errors import DockerException
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnectionPool
from ministack.services import ecr, ecs

from localcloud.options import Settings
from localcloud.patches.patch import Function, patch

_ECR_IMAGE = re.compile(
    r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<path>.+)$"
)


# The Docker SDK's errors: the engine refuses, or the connection is lost.
ENGINE_ERRORS = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError)


class ForeignRegistry(Exception):
    """An image in another account or region, which must not be pulled from the real AWS."""


_wrapped: dict[int, RegistryMappingClient] = {}
# The connections that are kept for later calls; there may be more at once.
_IDLE_CONNECTIONS = 50
_DAEMON = "daemon"


def prepare(settings: Settings) -> None:
    # Following the logs of many containers needs more connections than the pool keeps.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    setattr(UnixHTTPAdapter, "get_connection", _one_pool)  # noqa: B010 - mypy


def _one_pool(adapter: UnixHTTPAdapter, url: str, proxies: Any = None) -> UnixHTTPConnectionPool:
    """A client's pool of connections to the daemon.

    The Docker SDK has a pool for each URL, so for each container, and connects for each call. With the 26th URL
    it closes the oldest pool, and a thread that was about to use that one fails with `Pool is closed`.
    https://github.com/docker/compose/issues/3586
    """
    with adapter.pools.lock:
        pool: UnixHTTPConnectionPool | None = adapter.pools.get(_DAEMON)
        if pool is None:
            pool = UnixHTTPConnectionPool(url, adapter.socket_path, adapter.timeout, maxsize=_IDLE_CONNECTIONS)
            adapter.pools[_DAEMON] = pool
        return pool


@patch(ecs, "_get_docker")
def _find_in_local_registry(original: Function, *, settings: Settings) -> RegistryMappingClient | None:
    client = original()
    if client is None:
        return None
    return _wrapped.setdefault(id(client), RegistryMappingClient(client, settings))


def local_name(image: str, settings: Settings) -> str:
    """The name under which the Docker daemon finds an image reference of a task definition."""
    match = _ECR_IMAGE.match(image)
    if match is None:
        return image
    if (match["account"], match["region"]) != (settings.account, settings.region):
        raise ForeignRegistry(image)
    return f"{settings.registry}/{match['path']}"


def manifest_of(image: str, settings: Settings) -> tuple[str, str, dict[str, Any]] | None:
    """Repository, digest and manifest (or index) of an image in this cloud's registry; None if missing."""
    match = _ECR_IMAGE.match(image)
    path = match["path"] if match else image.removeprefix(f"{settings.registry}/")
    if not match and path == image:
        return None
    repository, at, reference = path.partition("@")
    if not at:
        repository, _, reference = path.partition(":")
    digest, raw, _media_type = ecr._resolve_manifest(repository, reference or "latest")
    return None if raw is None else (repository, digest, json.loads(raw))


def images_of(index: dict[str, Any]) -> dict[str, str]:
    """The digests of an index's images by platform (``linux/arm64``); of two for one, the first counts."""
    platforms = [(child.get("platform") or {}, child["digest"]) for child in reversed(index["manifests"])]
    return {f"{each.get('os')}/{each.get('architecture')}": digest for each, digest in platforms}


def image_digest(image: str, settings: Settings) -> str:
    """The digest of an image reference, for a tag its present one; '' if unknown."""
    _, _, digest = image.partition("@")
    if digest:
        return digest
    found = manifest_of(image, settings)
    return found[1] if found else ""


class RegistryMappingClient:
    """A Docker client that finds the account's ECR images in the local registry."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self.images = _Mapping(client.images, settings, ("pull", "get", "get_registry_data"))
        self.containers = _Mapping(client.containers, settings, ("run", "create"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class _Mapping:
    def __init__(self, collection: Any, settings: Settings, names: tuple[str, ...]) -> None:
        self._collection = collection
        for name in names:
            setattr(self, name, self._mapped(getattr(collection, name), settings))

    @staticmethod
    def _mapped(method: Function, settings: Settings) -> Function:
        def call(image: str, *args: Any, **kwargs: Any) -> Any:
            return method(local_name(image, settings), *args, **kwargs)

        return call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)
