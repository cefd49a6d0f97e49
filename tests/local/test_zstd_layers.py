"""Images with zstd layers run on any Docker engine, as on Fargate."""

import struct
from collections.abc import Callable

import pytest
import zstandard

from tests.local.conftest import HOST_ARCHITECTURE, OTHER_ARCHITECTURE, Cloud


def push(cloud: Cloud, repository: str, compress: Callable[[bytes], bytes], **more: str) -> str:
    """Push an image that names its repository: the engine does not unpack one that it has under another name."""
    return cloud.push(repository, ["echo", repository], zstd=compress, **more)


def frames(content: bytes) -> bytes:
    """As podman writes zstd:chunked: many frames, and one of metadata, which is to be skipped."""
    middle, metadata = len(content) // 2, b"metadata"
    skipped = struct.pack("<II", 0x184D2A50, len(metadata)) + metadata
    return zstandard.compress(content[:middle]) + skipped + zstandard.compress(content[middle:])


def not_zstd(content: bytes) -> bytes:
    return b"not zstd"


def cut_short(content: bytes) -> bytes:
    return zstandard.compress(content)[:-100]


@pytest.mark.parametrize("compress", [zstandard.compress, frames])
def test_an_image_with_zstd_layers_runs_each_time(cloud: Cloud, compress: Callable[[bytes], bytes]) -> None:
    repository = cloud.repository()
    digest = push(cloud, repository, compress)
    definition = cloud.define(cloud.image(repository, f"@{digest}"))
    for _ in range(2):
        task = cloud.await_task(cloud.run(definition)["taskArn"], "STOPPED")
        assert cloud.log_lines(task) == [repository], task["stoppedReason"]
        assert task["containers"][0]["imageDigest"] == digest


def test_a_tag_runs_what_it_points_to_now_though_the_engine_has_what_it_pointed_to(cloud: Cloud) -> None:
    repository = cloud.repository()
    definition = cloud.define(cloud.image(repository, ":latest"))
    cloud.push(repository, ["echo", "first"], tag="latest")
    task = cloud.await_task(cloud.run(definition)["taskArn"], "STOPPED")
    assert cloud.log_lines(task) == ["first"]
    digest = cloud.push(repository, ["echo", "second"], tag="latest", zstd=zstandard.compress)
    task = cloud.await_task(cloud.run(definition)["taskArn"], "STOPPED")
    assert cloud.log_lines(task) == ["second"]
    assert task["containers"][0]["imageDigest"] == digest


def test_an_index_runs_its_image_for_the_cpu(cloud: Cloud) -> None:
    repository = cloud.repository()
    children = {
        architecture: push(cloud, repository, zstandard.compress, architecture=architecture)
        for architecture in (OTHER_ARCHITECTURE, HOST_ARCHITECTURE)
    }
    index = cloud.push_index(repository, children, "both")
    task = cloud.run(cloud.define(cloud.image(repository, f"@{index}")))
    task = cloud.await_task(task["taskArn"], "STOPPED")
    assert cloud.log_lines(task) == [repository], task["stoppedReason"]
    assert task["containers"][0]["imageDigest"] == index


@pytest.mark.parametrize("compress", [not_zstd, cut_short])
def test_a_layer_that_is_not_a_valid_zstd_cannot_be_pulled(
    cloud: Cloud, compress: Callable[[bytes], bytes]
) -> None:
    repository = cloud.repository()
    digest = push(cloud, repository, compress)
    layer = cloud.manifest(repository, digest)["layers"][0]["digest"]
    task = cloud.run(cloud.define(cloud.image(repository, f"@{digest}")))
    task = cloud.await_task(task["taskArn"], "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == (
        "CannotPullContainerError: ref pull has been retried 1 time(s): "
        f"failed to extract layer {layer}: it is not valid zstd"
    )
