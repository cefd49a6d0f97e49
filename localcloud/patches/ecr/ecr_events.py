"""*ECR Image Action* events.

ECR sends none for a push that changes nothing, because the tag points to the digest already: clients detect
this with a HEAD request before they push, and PutImage refuses it.

MiniStack: sends none, neither from its registry nor from its ECR API.
AWS: sends one for each tag that is pushed or deleted.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
Upstream: none known, ready to send:
    docs/upstream/ecr-image-action-events.md
Kind: core
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import ecr

from localcloud.patches.eventbridge import events
from localcloud.patches.patch import Function, patch


@patch(ecr, "_v2_put_manifest")
def _announce_registry_push(
    original: Function, name: str, ref: str, headers: dict[str, str], body: bytes
) -> Any:
    before = _digest_under(name, ref)
    answer = original(name, ref, headers, body)
    if answer[0] == 201 and answer[1]["Docker-Content-Digest"] != before:
        _publish(
            action="PUSH",
            repository=name,
            digest=answer[1]["Docker-Content-Digest"],
            tag="" if ref.startswith("sha256:") else ref,
        )
    return answer


@patch(ecr, "_put_image")
def _announce_api_push(original: Function, data: dict[str, Any]) -> Any:
    repository, tag = data.get("repositoryName", ""), data.get("imageTag") or ""
    digest = data.get("imageDigest") or ecr._image_digest(data.get("imageManifest", ""))
    if tag and _digest_under(repository, tag) == digest:
        return ecr.error_response_json(
            "ImageAlreadyExistsException",
            f"Image with digest '{digest}' and tag '{tag}' already exists in the repository '{repository}'",
            400,
        )
    answer = original(data)
    if answer[0] == 200:
        pushed = json.loads(answer[2])["image"]["imageId"]["imageDigest"]
        _publish(
            action="PUSH",
            repository=data["repositoryName"],
            digest=pushed,
            tag=data.get("imageTag") or "",
        )
    return answer


def _digest_under(repository: str, reference: str) -> str:
    """The digest that a tag or digest refers to, '' if it does not exist."""
    return next(
        (
            image["imageDigest"]
            for image in ecr._images.get(repository) or []
            if reference in (image["imageDigest"], *(image.get("imageTags") or []))
        ),
        "",
    )


@patch(ecr, "_batch_delete_image")
def _announce_delete(original: Function, data: dict[str, Any]) -> Any:
    repository = data.get("repositoryName", "")
    before = {image["imageDigest"]: dict(image) for image in ecr._images.get(repository) or []}
    answer = original(data)
    if answer[0] == 200:
        for deleted in json.loads(answer[2])["imageIds"]:
            digest = deleted["imageDigest"]
            _publish(
                action="DELETE",
                repository=repository,
                digest=digest,
                tag=deleted.get("imageTag", ""),
                image=before.get(digest),
            )
    return answer


def _publish(
    *, action: str, repository: str, digest: str, tag: str, image: dict[str, Any] | None = None
) -> None:
    image = image or next((i for i in ecr._images[repository] if i["imageDigest"] == digest), {})
    detail = {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "action-type": action,
        "image-tag": tag,
    }
    if media_type := image.get("imageManifestMediaType"):
        detail["manifest-media-type"] = media_type
    if artifact := artifact_media_type(image.get("imageManifest", "")):
        detail["artifact-media-type"] = artifact
    events.publish(source="aws.ecr", detail_type="ECR Image Action", detail=detail, resources=[])


def artifact_media_type(manifest: str) -> str:
    """The media type of the manifest's configuration, which distinguishes images from other artifacts."""
    try:
        config = json.loads(manifest).get("config")
    except (ValueError, AttributeError):
        return ""
    return str(config.get("mediaType", "")) if isinstance(config, dict) else ""
