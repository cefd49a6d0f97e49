"""Lifecycle policies of ECR.

Here, images expire with the next push to the repository. ECR takes up to a day, and documents no EventBridge
event for it, so none is sent.

MiniStack: stores policies, and expires nothing.
AWS: expires images within a day.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from ministack.services import ecr

from localcloud.patches.patch import Function, patch

DAY_SECONDS = 24 * 60 * 60
Image = dict[str, Any]


@patch(ecr, "_v2_put_manifest")
def _then_expire(original: Function, name: str, *rest: Any) -> Any:
    answer = original(name, *rest)
    expire(name)
    return answer


@patch(ecr, "_put_image")
def _then_expire_api(original: Function, data: dict[str, Any]) -> Any:
    answer = original(data)
    expire(data.get("repositoryName", ""))
    return answer


def expire(repository: str) -> None:
    """Remove the images that the repository's policy expires. A child stays as long as its index."""
    policy = ecr._lifecycle_policies.get(repository)
    images = ecr._images.get(repository) or []
    if not policy:
        return
    expired = {
        image["imageDigest"] for image in expired_images(json.loads(policy)["rules"], images, time.time())
    }
    kept = {child for image in images if image["imageDigest"] not in expired for child in _children(image)}
    images[:] = [image for image in images if image["imageDigest"] not in expired - kept]


def expired_images(rules: list[dict[str, Any]], images: list[Image], now: float) -> Iterator[Image]:
    """The expired images. Only the first rule, by priority, that selects an image applies to it.

    `now` is in UNIX seconds.
    """
    left = sorted(enumerate(images), key=lambda each: (each[1]["imagePushedAt"], each[0]), reverse=True)
    for rule in sorted(rules, key=lambda rule: rule["rulePriority"]):
        selection = rule["selection"]
        selected = [each for each in left if _selects(selection, each[1])]
        left = [each for each in left if each not in selected]
        for rank, (_, image) in enumerate(selected):
            if selection["countType"] == "imageCountMoreThan":
                over = rank >= selection["countNumber"]
            else:
                over = now - image["imagePushedAt"] > selection["countNumber"] * DAY_SECONDS
            if over:
                yield image


def _selects(selection: dict[str, Any], image: Image) -> bool:
    tags, status = image.get("imageTags") or [], selection["tagStatus"]
    if status != "tagged":
        return status == "any" or not tags
    patterns = selection.get("tagPatternList") or [f"{each}*" for each in selection.get("tagPrefixList", [])]
    return all(any(fnmatchcase(tag, pattern) for tag in tags) for pattern in patterns) and bool(tags)


def _children(image: Image) -> list[str]:
    manifests = json.loads(image["imageManifest"]).get("manifests")
    return [each["digest"] for each in manifests] if isinstance(manifests, list) else []
