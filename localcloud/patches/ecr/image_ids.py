"""Image ids in ECR's responses.

MiniStack: keeps a tag on its old image, and deletes an image by any of its tags.
AWS: moves a tag to the image pushed last, and deletes an image with its last tag.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html
Upstream: none known, ready to send:
    docs/upstream/ecr-delete-image-by-tag.md
    docs/upstream/ecr-describe-unknown-image.md
    docs/upstream/ecr-list-images-tags.md
Kind: fidelity
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecr

from localcloud.patches.ecr.ecr_events import artifact_media_type
from localcloud.patches.patch import Function, patch


@patch(ecr, "_batch_get_image")
def _name_what_was_asked(original: Function, data: dict[str, Any]) -> Any:
    """BatchGetImage: the id of each image is its digest, and the tag if one was requested."""
    status, headers, body = original(data)
    if status != 200:
        return status, headers, body
    answer = json.loads(body)
    # MiniStack answers in the order of the request, without the failures.
    failed = [failure["imageId"] for failure in answer["failures"]]
    asked = [image_id for image_id in data.get("imageIds", []) if image_id not in failed]
    for image, image_id in zip(answer["images"], asked, strict=False):
        image["imageId"] = {"imageDigest": image["imageId"]["imageDigest"]}
        if tag := image_id.get("imageTag"):
            image["imageId"]["imageTag"] = tag
    return json_response(answer)


@patch(ecr, "_batch_delete_image")
def _untag_before_deleting(original: Function, data: dict[str, Any]) -> Any:
    """BatchDeleteImage: remove a tag; delete the image with its last tag, or by its digest."""
    repository = data.get("repositoryName", "")
    if repository not in ecr._repositories:
        return original(data)
    deleted: list[dict[str, str]] = []
    failures: list[dict[str, Any]] = []
    for image_id in data.get("imageIds", []):
        image = ecr._find_image(repository, image_id)
        if image is None:
            failures.append(
                {
                    "imageId": image_id,
                    "failureCode": "ImageNotFound",
                    "failureReason": "Requested image not found",
                }
            )
            continue
        named = image_id.get("imageTag")
        tags = [named] if named else list(image["imageTags"])
        image["imageTags"] = [tag for tag in image["imageTags"] if tag not in tags]
        digest = image["imageDigest"]
        deleted += [{"imageDigest": digest, "imageTag": tag} for tag in tags] or [{"imageDigest": digest}]
        if not image["imageTags"]:
            ecr._images[repository].remove(image)
            # Otherwise the registry would still serve the manifest of a deleted image.
            ecr._manifest_blobs.get(repository, {}).pop(digest, None)
    return json_response({"imageIds": deleted, "failures": failures})


@patch(ecr, "_list_images")
def _one_id_per_tag(original: Function, data: dict[str, Any]) -> Any:
    """ListImages: one id for each tag, and one without a tag for an untagged image."""
    repository = data.get("repositoryName", "")
    if repository not in ecr._repositories:
        return original(data)
    wanted = (data.get("filter") or {}).get("tagStatus", "ANY")
    ids: list[dict[str, str]] = []
    for image in ecr._images.get(repository) or []:
        digest = {"imageDigest": image["imageDigest"]}
        if image["imageTags"] and wanted != "UNTAGGED":
            ids += [{**digest, "imageTag": tag} for tag in image["imageTags"]]
        elif not image["imageTags"] and wanted != "TAGGED":
            ids.append(digest)
    return json_response({"imageIds": ids})


@patch(ecr, "_describe_images")
def _refuse_unknown_images(original: Function, data: dict[str, Any]) -> Any:
    """DescribeImages: ImageNotFoundException, and the real artifact media type."""
    repository = data.get("repositoryName", "")
    known = repository in ecr._repositories
    for image_id in (data.get("imageIds") or []) if known else []:
        if ecr._find_image(repository, image_id) is None:
            return error_response_json(
                "ImageNotFoundException",
                f"The image with imageId {json.dumps(image_id)} does not exist within the repository with "
                f"name '{repository}' in the registry with id '{ecr.get_account_id()}'",
                400,
            )
    status, headers, body = original(data)
    if status != 200:
        return status, headers, body
    answer = json.loads(body)
    for shown in answer["imageDetails"]:
        image = ecr._find_image(repository, {"imageDigest": shown["imageDigest"]}) or {}
        shown.pop("artifactMediaType", None)
        if artifact := artifact_media_type(image.get("imageManifest", "")):
            shown["artifactMediaType"] = artifact
        if not shown["imageTags"]:
            del shown["imageTags"]
    return json_response(answer)
