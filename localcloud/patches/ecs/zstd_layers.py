"""Layers compressed with zstd. Fargate supports them, and Docker's engine from 23.0 on; Debian 12 has 20.10."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from typing import IO, Any

from ministack.services import ecr, ecs
from zstandard import ZstdDecompressor, ZstdError

from localcloud.options import Settings
from localcloud.patches.ecs.docker_client import images_of, manifest_of

# The endings of OCI's media types, and of containerd's for Docker's format.
_ZSTD = ("+zstd", ".zstd")


def load_decompressed(client: Any, image: str, platform: str, settings: Settings) -> str | None:
    """Load an image of this cloud's registry into the engine, its zstd layers decompressed.

    Returns its name in the engine; None if it has no such layer, or not all of it is in the registry.
    Raises ``_ImagePullError`` for a layer that is not valid zstd, and ``DockerException``.
    """
    found = _manifest_for(platform, image, settings)
    if found is None:
        return None
    repository, digest, manifest = found
    blobs = ecr._layer_blobs.get(repository, {})
    config, layers = manifest["config"], manifest["layers"]
    if not any(map(_is_zstd, layers)) or any(each["digest"] not in blobs for each in [config, *layers]):
        return None
    # A name for each digest, so that another image of the same tag cannot replace it meanwhile.
    name = f"{settings.registry}/{repository}:{digest.replace(':', '-')}"
    with tempfile.TemporaryFile() as file:
        contents = [(layer, blobs[layer["digest"]]) for layer in layers]
        _write_archive(file, name, blobs[config["digest"]], contents)
        file.seek(0)
        client.images.load(file)
    return name


def _manifest_for(platform: str, image: str, settings: Settings) -> tuple[str, str, dict[str, Any]] | None:
    """Like ``manifest_of``, but for an index the manifest of the platform's image."""
    found = manifest_of(image, settings)
    if found is None or "manifests" not in found[2]:
        return found
    repository, _digest, index = found
    return manifest_of(f"{settings.registry}/{repository}@{images_of(index)[platform]}", settings)


def _is_zstd(layer: dict[str, Any]) -> bool:
    return str(layer["mediaType"]).endswith(_ZSTD)


def _write_archive(
    file: IO[bytes], name: str, config: bytes, layers: list[tuple[dict[str, Any], bytes]]
) -> None:
    """Write an archive for ``docker load``, which inflates gzipped layers and refuses missing or extra ones."""
    paths = [f"{number}.tar" for number in range(len(layers))]
    contents = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": paths}])
    diff_ids = json.loads(config)["rootfs"]["diff_ids"]
    with tarfile.open(fileobj=file, mode="w") as archive:
        for path, (layer, blob), diff_id in zip(paths, layers, diff_ids, strict=False):
            if not _is_zstd(layer):
                _add(archive, path, io.BytesIO(blob))
                continue
            with tempfile.TemporaryFile() as content:
                if not _decompress(blob, content, diff_id):
                    reason = f"failed to extract layer {layer['digest']}: it is not valid zstd"
                    raise ecs._ImagePullError(f"ref pull has been retried 1 time(s): {reason}")
                _add(archive, path, content)
        _add(archive, "config.json", io.BytesIO(config))
        _add(archive, "manifest.json", io.BytesIO(contents.encode()))


def _decompress(blob: bytes, to: io.BufferedRandom, diff_id: str) -> bool:
    """Decompress a layer; whether it is valid zstd and complete, by the digest in the configuration."""
    try:
        # podman's zstd:chunked has many frames. If the last is cut off, the reader ends without an error.
        shutil.copyfileobj(ZstdDecompressor().stream_reader(blob, read_across_frames=True), to)
    except ZstdError:
        return False
    to.seek(0)
    return f"sha256:{hashlib.file_digest(to, 'sha256').hexdigest()}" == diff_id


def _add(archive: tarfile.TarFile, path: str, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(path)
    member.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    archive.addfile(member, content)
