"""Pushes many different images through the registry's HTTP API, without building any."""

import contextlib
import hashlib
import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.cloud.bench_cloud import MANIFEST, BenchCloud

CONFIG = "application/vnd.docker.container.image.v1+json"
# Docker, too, repeats a push that ECR throttles.
THROTTLED, PAUSE_SECONDS = 429, 0.05


@contextlib.contextmanager
def registry(cloud: BenchCloud) -> Iterator["Registry"]:
    """The embedded cloud's registry, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", cloud.settings.port, timeout=60)
    with contextlib.closing(connection):
        yield Registry(connection)


@dataclass(frozen=True)
class Registry:
    connection: http.client.HTTPConnection

    def get(self, path: str) -> bytes:
        return self._ask("GET", path, None, 200)

    def post(self, path: str, body: bytes | None = None) -> None:
        self._ask("POST", path, body, 201)

    def put(self, path: str, manifest: bytes) -> None:
        self._ask("PUT", path, manifest, 201)

    def _ask(self, method: str, path: str, body: bytes | None, expected: int) -> bytes:
        kind = json.loads(body).get("mediaType", MANIFEST) if method == "PUT" and body else CONFIG
        while True:
            self.connection.request(method, path, body, {"Content-Type": kind})
            answer = self.connection.getresponse()
            said = answer.read()
            if answer.status != THROTTLED:
                break
            time.sleep(PAUSE_SECONDS)
        assert answer.status == expected, (method, path, answer.status, said)
        return said


def prepare(cloud: BenchCloud, apps: list[str], versions: int) -> dict[str, list[bytes]]:
    """Create the repositories with all layers; return each app's manifests, all of them different."""
    ecr = cloud.client("ecr")
    image = json.loads(cloud.manifest)
    with registry(cloud) as opened:
        config = json.loads(opened.get(f"/v2/flask-app/blobs/{image['config']['digest']}"))
        manifests: dict[str, list[bytes]] = {}
        for app in apps:
            ecr.create_repository(repositoryName=app)
            for layer in image["layers"]:
                opened.post(f"/v2/{app}/blobs/uploads/?mount={layer['digest']}&from=flask-app")
            manifests[app] = [_version(opened, app, image, config, each) for each in range(versions)]
    return manifests


def _version(opened: Registry, app: str, image: dict[str, Any], config: dict[str, Any], number: int) -> bytes:
    labelled = {**config, "config": {**config["config"], "Labels": {"version": f"{app} {number}"}}}
    blob = json.dumps(labelled).encode()
    opened.post(f"/v2/{app}/blobs/uploads/?digest={digest_of(blob)}", blob)
    described = {"mediaType": image["config"]["mediaType"], "digest": digest_of(blob), "size": len(blob)}
    return json.dumps({**image, "config": described}).encode()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
