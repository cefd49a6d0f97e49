"""ECR's basic image scans, with findings from a file.

The file is `findings.json` in the state folder, and is read at each scan. It maps a digest, or a pattern
of ``repository`` or ``repository:tag``, to the result of a scan; the first match counts:

    {"flask-app:old*": {"findings": [{"name": "CVE-2026-1234", "severity": "HIGH", "package_name": "zlib"}]},
     "team/*": {"status": "FAILED"}}

``status`` may be any of ECR's; with IN_PROGRESS the scan never ends. Without the file there are no findings.

MiniStack: has no scans.
AWS: scans on push, and reports by DescribeImageScanFindings and an event.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-basic.html
Upstream: none known
Kind: option (BlockOnFindings)
"""

from __future__ import annotations

import contextvars
import json
import threading
import time
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecr

from localcloud.options import Settings
from localcloud.patches.eventbridge import events
from localcloud.patches.patch import Function, add_action, patch

SCAN_SECONDS = 0.5
# An image can be scanned once in this time, on push or on request.
ONCE_IN_SECONDS = 24 * 3600
DEFAULT_PAGE = 100

_DESCRIPTIONS = {
    "COMPLETE": "The scan was completed successfully.",
    "UNSUPPORTED_IMAGE": "UnsupportedImageError: The operating system or package manager is not supported.",
}
_OF_A_FINDING = ("name", "description", "uri", "severity")


@patch(ecr, "_v2_put_manifest")
def _scan_registry_push(
    original: Function, name: str, ref: str, headers: dict[str, str], body: bytes, *, settings: Settings
) -> Any:
    answer = original(name, ref, headers, body)
    if answer[0] == 201:
        _scan_on_push(name, answer[1]["Docker-Content-Digest"], settings)
    return answer


@patch(ecr, "_put_image")
def _scan_api_push(original: Function, data: dict[str, Any], *, settings: Settings) -> Any:
    answer = original(data)
    if answer[0] == 200:
        digest = json.loads(answer[2])["image"]["imageId"]["imageDigest"]
        _scan_on_push(data["repositoryName"], digest, settings)
    return answer


def _scan_on_push(repository: str, digest: str, settings: Settings) -> None:
    image = ecr._find_image(repository, {"imageDigest": digest})
    wanted = ecr._repositories[repository]["imageScanningConfiguration"].get("scanOnPush")
    if wanted and _is_image(image) and not _scanned_lately(image):
        _scan(repository, image, _database(settings))


def _database(settings: Settings) -> Path:
    return settings.state_dir / "findings.json"


def _is_image(image: dict[str, Any]) -> bool:
    """Whether it is the manifest of an image, not of an index or of another artifact."""
    try:
        manifest = json.loads(image["imageManifest"])
        return all(".image." in each["mediaType"] for each in (manifest["config"], *manifest["layers"]))
    except (ValueError, LookupError, TypeError):
        return False


def _scanned_lately(image: dict[str, Any]) -> bool:
    return bool("_scan" in image and time.time() - image["_scan"]["started"] < ONCE_IN_SECONDS)


def _scan(repository: str, image: dict[str, Any], database: Path) -> None:
    image["_scan"] = {"status": "IN_PROGRESS", "started": time.time()}
    end = threading.Timer(
        SCAN_SECONDS, contextvars.copy_context().run, (_end_scan, repository, image, database)
    )
    end.daemon = True
    end.start()


def _end_scan(repository: str, image: dict[str, Any], database: Path) -> None:
    try:
        result = _look_up(repository, image, database)
        findings = [_finding(each) for each in result.get("findings", [])]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        result, findings = {"status": "FAILED", "description": f"{database} cannot be used: {error}"}, []
    status = result.get("status", "COMPLETE")
    if status == "IN_PROGRESS":
        return
    counts = Counter(each["severity"] for each in findings)
    image["_scan"] |= {
        "status": status,
        "description": result.get("description") or _DESCRIPTIONS.get(status, "The scan failed."),
        "completed": time.time(),
        "findings": findings,
        "counts": counts,
    }
    events.publish(
        source="aws.ecr",
        detail_type="ECR Image Scan",
        detail={
            "scan-status": status,
            "repository-name": repository,
            "finding-severity-counts": counts,
            "image-digest": image["imageDigest"],
            "image-tags": image["imageTags"],
        },
        resources=[ecr._repo_arn(repository)],
    )


def _look_up(repository: str, image: dict[str, Any], database: Path) -> dict[str, Any]:
    """The database's entry for an image, {} if there is none."""
    known = json.loads(database.read_text()) if database.exists() else {}
    digest, names = image["imageDigest"], [repository]
    for each in ecr._images.get(repository) or []:
        # A tag may also refer to the image through an index.
        if digest in each["imageDigest"] + each["imageManifest"]:
            names += [f"{repository}:{tag}" for tag in each["imageTags"]]
    for key, entry in known.items():
        if key == digest or any(fnmatchcase(name, key) for name in names):
            return dict(entry)
    return {}


def _finding(entry: dict[str, str]) -> dict[str, Any]:
    """A finding in ECR's form; values without a field are attributes."""
    shown: dict[str, Any] = {name: entry[name] for name in _OF_A_FINDING if name in entry}
    shown.setdefault("severity", "UNDEFINED")
    attributes = [{"key": key, "value": value} for key, value in entry.items() if key not in _OF_A_FINDING]
    return {**shown, "attributes": attributes}


@add_action(ecr, "StartImageScan")
def _start_image_scan(data: dict[str, Any], *, settings: Settings) -> Any:
    refused = _unknown(data)
    if refused:
        return refused
    image = ecr._find_image(data["repositoryName"], data["imageId"])
    if not _is_image(image):
        return error_response_json(
            "UnsupportedImageTypeException",
            f"An artifact with media type '{image['imageManifestMediaType']}' cannot be scanned. "
            "For more information, see the Amazon ECR documentation.",
        )
    if _scanned_lately(image):
        return error_response_json(
            "LimitExceededException", "The scan quota per image has been exceeded. Wait and try again."
        )
    _scan(data["repositoryName"], image, _database(settings))
    return json_response(_status(data, image))


@add_action(ecr, "DescribeImageScanFindings")
def _describe_findings(data: dict[str, Any]) -> Any:
    refused = _unknown(data)
    if refused:
        return refused
    image = ecr._find_image(data["repositoryName"], data["imageId"])
    scan = image.get("_scan")
    if scan is None:
        return error_response_json(
            "ScanNotFoundException",
            f"Image scan does not exist for the image with '{json.dumps(data['imageId'])}' in the repository "
            f"with name '{data['repositoryName']}' in the registry with id '{ecr.get_account_id()}'",
        )
    answer = _status(data, image)
    if scan["status"] == "COMPLETE":
        begin, size = int(data.get("nextToken") or 0), data.get("maxResults") or DEFAULT_PAGE
        answer["imageScanFindings"] = {
            "findings": scan["findings"][begin : begin + size],
            "imageScanCompletedAt": scan["completed"],
            "vulnerabilitySourceUpdatedAt": scan["completed"],
            "findingSeverityCounts": scan["counts"],
        }
        if begin + size < len(scan["findings"]):
            answer["nextToken"] = str(begin + size)
    return json_response(answer)


def _unknown(data: dict[str, Any]) -> Any:
    """The error response for a missing repository or image, None if it exists."""
    answer = ecr._describe_images({"repositoryName": data["repositoryName"], "imageIds": [data["imageId"]]})
    return None if answer[0] == 200 else answer


def _status(data: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    scan = image["_scan"]
    status = {name: scan[name] for name in ("status", "description") if name in scan}
    return {
        "registryId": ecr.get_account_id(),
        "repositoryName": data["repositoryName"],
        "imageId": {**data["imageId"], "imageDigest": image["imageDigest"]},
        "imageScanStatus": status,
    }
