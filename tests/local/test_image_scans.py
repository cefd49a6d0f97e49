"""Scans of ECR, on push and on demand, whose findings come from a file."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import INDEX, MANIFEST, Cloud, eventually

FINDING = {
    "name": "CVE-2026-1234",
    "description": "zlib inflates too much",
    "uri": "https://security-tracker.debian.org/tracker/CVE-2026-1234",
    "severity": "CRITICAL",
    "package_name": "zlib",
    "package_version": "1:1.2.13",
}


def scanned_on_push(cloud: Cloud) -> str:
    repository = cloud.repository()
    cloud.client("ecr").put_image_scanning_configuration(
        repositoryName=repository, imageScanningConfiguration={"scanOnPush": True}
    )
    return repository


def know(cloud: Cloud, **entries: Any) -> None:
    (cloud.state_dir / "findings.json").write_text(json.dumps(entries))


def findings(cloud: Cloud, repository: str, **image: str) -> dict[str, Any]:
    found: dict[str, Any] = cloud.client("ecr").describe_image_scan_findings(
        repositoryName=repository, imageId=image
    )
    return found


def ended(cloud: Cloud, repository: str, **image: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        scan = findings(cloud, repository, **image)
        return scan if scan["imageScanStatus"]["status"] != "IN_PROGRESS" else None

    return eventually(look)


def scan_events(cloud: Cloud, repository: str) -> Callable[..., list[dict[str, Any]]]:
    pattern = {"detail-type": ["ECR Image Scan"], "detail": {"repository-name": [repository]}}
    return cloud.watch(source=["aws.ecr"], **pattern)


def test_a_push_is_scanned_and_its_findings_are_those_of_the_file(cloud: Cloud, event: Any) -> None:
    repository = scanned_on_push(cloud)
    seen = scan_events(cloud, repository)
    know(cloud, **{f"{repository}:v*": {"findings": [FINDING, {**FINDING, "severity": "LOW"}]}})
    digest = cloud.push(repository, ["sleep", "1"], tag="v1")
    first = findings(cloud, repository, imageTag="v1")
    assert first["imageScanStatus"] == {"status": "IN_PROGRESS"}
    assert "imageScanFindings" not in first
    scan = ended(cloud, repository, imageTag="v1")
    assert scan["imageScanStatus"]["status"] == "COMPLETE"
    assert scan["imageId"] == {"imageDigest": digest, "imageTag": "v1"}
    assert scan["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 1, "LOW": 1}
    assert scan["imageScanFindings"]["findings"][0] == {
        **{name: FINDING[name] for name in ("name", "description", "uri", "severity")},
        "attributes": [
            {"key": "package_name", "value": "zlib"},
            {"key": "package_version", "value": "1:1.2.13"},
        ],
    }
    (sent,) = eventually(seen)
    sample = event("ecr-scan-complete")
    assert set(sent) == set(sample)
    assert set(sent["detail"]) == set(sample["detail"])
    assert sent["resources"] == [f"arn:aws:ecr:{cloud.region}:{cloud.account}:repository/{repository}"]
    assert sent["detail"] == {
        "scan-status": "COMPLETE",
        "repository-name": repository,
        "finding-severity-counts": {"CRITICAL": 1, "LOW": 1},
        "image-digest": digest,
        "image-tags": ["v1"],
    }


def test_without_an_entry_nothing_is_found(cloud: Cloud) -> None:
    repository = scanned_on_push(cloud)
    know(cloud, another={"findings": [FINDING]})
    scan = ended(cloud, repository, imageDigest=cloud.push(repository, ["sleep", "1"]))
    assert scan["imageScanFindings"]["findings"] == []
    assert scan["imageScanFindings"]["findingSeverityCounts"] == {}


def test_of_an_index_its_images_are_scanned_and_not_itself_nor_its_attestation(cloud: Cloud) -> None:
    repository = scanned_on_push(cloud)
    know(cloud, **{f"{repository}:bad": {"findings": [FINDING]}})
    child = cloud.push(repository, ["sleep", "1"])
    blob = {"digest": f"sha256:{'0' * 64}", "size": 2}
    attestation = cloud.put_manifest(
        repository,
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {**blob, "mediaType": "application/vnd.oci.image.config.v1+json"},
            "layers": [{**blob, "mediaType": "application/vnd.in-toto+json"}],
        },
    )
    index = cloud.push_index(repository, {"amd64": child, "unknown": attestation}, "bad")
    scan = ended(cloud, repository, imageDigest=child)
    assert scan["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 1}
    ecr = cloud.client("ecr")
    for digest in (index, attestation):
        with pytest.raises(ecr.exceptions.ScanNotFoundException):
            findings(cloud, repository, imageDigest=digest)
    with pytest.raises(ecr.exceptions.UnsupportedImageTypeException, match=re.escape(INDEX)):
        ecr.start_image_scan(repositoryName=repository, imageId={"imageTag": "bad"})


@pytest.mark.parametrize("status", ["FAILED", "UNSUPPORTED_IMAGE"])
def test_a_scan_may_come_to_nothing(cloud: Cloud, status: str) -> None:
    repository = scanned_on_push(cloud)
    seen = scan_events(cloud, repository)
    digest = cloud.push(repository, ["sleep", status])
    know(cloud, **{digest: {"status": status}})
    scan = ended(cloud, repository, imageDigest=digest)
    assert scan["imageScanStatus"]["status"] == status
    assert scan["imageScanStatus"]["description"]
    assert "imageScanFindings" not in scan
    (event,) = eventually(seen)
    assert (event["detail"]["scan-status"], event["detail"]["finding-severity-counts"]) == (status, {})


def test_a_file_with_a_mistake_is_a_failed_scan_that_says_so(cloud: Cloud) -> None:
    repository = scanned_on_push(cloud)
    (cloud.state_dir / "findings.json").write_text('{"a": ')
    scan = ended(cloud, repository, imageDigest=cloud.push(repository, ["sleep", "1"]))
    assert scan["imageScanStatus"]["status"] == "FAILED"
    assert "findings.json cannot be used: Expecting value" in scan["imageScanStatus"]["description"]


def test_an_image_that_was_not_scanned_on_push_is_scanned_when_asked_and_once_a_day(cloud: Cloud) -> None:
    repository, ecr = cloud.repository(), cloud.client("ecr")
    image = {"imageDigest": cloud.push(repository, ["sleep", "1"])}
    know(cloud)
    with pytest.raises(ecr.exceptions.ScanNotFoundException):
        findings(cloud, repository, **image)
    started = ecr.start_image_scan(repositoryName=repository, imageId=image)
    assert (started["imageScanStatus"], started["imageId"]) == ({"status": "IN_PROGRESS"}, image)
    assert ended(cloud, repository, **image)["imageScanStatus"]["status"] == "COMPLETE"
    with pytest.raises(ecr.exceptions.LimitExceededException):
        ecr.start_image_scan(repositoryName=repository, imageId=image)
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        findings(cloud, repository, imageTag="nothing")


def test_many_findings_come_in_pages(cloud: Cloud) -> None:
    repository = scanned_on_push(cloud)
    know(cloud, **{repository: {"findings": [{**FINDING, "name": f"CVE-2026-{n}"} for n in range(250)]}})
    image = {"imageDigest": cloud.push(repository, ["sleep", "1"])}
    ended(cloud, repository, **image)
    pages = list(
        cloud.client("ecr")
        .get_paginator("describe_image_scan_findings")
        .paginate(repositoryName=repository, imageId=image)
    )
    names = [each["name"] for page in pages for each in page["imageScanFindings"]["findings"]]
    assert [len(page["imageScanFindings"]["findings"]) for page in pages] == [100, 100, 50]
    assert names == [f"CVE-2026-{n}" for n in range(250)]


def test_findings_are_shown_to_whom_the_repository_is_allowed(cloud: Cloud) -> None:
    mine, other = scanned_on_push(cloud), scanned_on_push(cloud)
    know(cloud)
    digests = {each: cloud.push(each, ["sleep", "1"]) for each in (mine, other)}
    ecr = cloud.user(
        {
            "Effect": "Allow",
            "Action": "ecr:DescribeImageScanFindings",
            "Resource": f"arn:aws:ecr:{cloud.region}:{cloud.account}:repository/{mine}",
        }
    )("ecr")
    ecr.describe_image_scan_findings(repositoryName=mine, imageId={"imageDigest": digests[mine]})
    with pytest.raises(ClientError, match="AccessDenied"):
        ecr.describe_image_scan_findings(repositoryName=other, imageId={"imageDigest": digests[other]})
    with pytest.raises(ClientError, match="AccessDenied"):
        ecr.start_image_scan(repositoryName=mine, imageId={"imageDigest": digests[mine]})
