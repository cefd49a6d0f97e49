"""Findings of basic and enhanced scanning, and which of them reject an image."""

import json
from typing import Any

import pytest
from deployer.domain.failure import explain
from deployer.domain.findings import LINE_LIMIT, LISTED, Finding, Scan, blocking, refusal
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "a" * 64
STATUSES = {
    # status: whether it was scanned, and whether more may be known in a while
    "": (False, True),
    "PENDING": (False, True),
    "IN_PROGRESS": (False, True),
    "COMPLETE": (True, False),
    "ACTIVE": (True, False),
    "FAILED": (False, False),
    "UNSUPPORTED_IMAGE": (False, False),
    "SCAN_ELIGIBILITY_EXPIRED": (False, False),
    "FINDINGS_UNAVAILABLE": (False, False),
    "LIMIT_EXCEEDED": (False, False),
    "IMAGE_ARCHIVED": (False, False),
    "A_STATUS_OF_TOMORROW": (False, False),
}


def basic(severity: str, name: str = "CVE-2026-1234", **attributes: str) -> dict[str, Any]:
    known = {"package_name": "zlib", "package_version": "1:1.2.13"} | attributes
    pairs = [{"key": key, "value": value} for key, value in known.items()]
    return {"name": name, "severity": severity, "uri": "https://example.com", "attributes": pairs}


def enhanced(severity: str, **package: str) -> dict[str, Any]:
    known = {"name": "libxml2", "version": "2.9.14+dfsg", "release": "1.3~deb12u1", "fixedInVersion": "2.9.15"}
    return {
        "title": "CVE-2022-49043 - libxml2",
        "severity": severity,
        "status": "ACTIVE",
        "type": "PACKAGE_VULNERABILITY",
        "packageVulnerabilityDetails": {
            "vulnerabilityId": "CVE-2022-49043",
            "vulnerablePackages": [known | package],
        },
    }


def found(*severities: str) -> list[Finding]:
    return [Finding(f"CVE-{n}", severity, f"lib{n} 1", "") for n, severity in enumerate(severities)]


def refused(findings: list[Finding], refuses: str = "high") -> list[str]:
    blocks = blocking(findings, refuses)
    return refusal(blocks, refuses, repository="web", digest=DIGEST, region="eu-west-1").split("\n")


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (basic("HIGH"), "HIGH CVE-2026-1234 in zlib 1:1.2.13"),
        ({"name": "CVE-1", "severity": "CRITICAL"}, "CRITICAL CVE-1"),
        ({"name": "CVE-1"}, "UNDEFINED CVE-1"),
        (
            enhanced("HIGH"),
            "HIGH CVE-2022-49043 in libxml2 2.9.14+dfsg-1.3~deb12u1, fixed in 2.9.15",
        ),
        (
            enhanced("LOW", fixedInVersion="NotAvailable", release=""),
            "LOW CVE-2022-49043 in libxml2 2.9.14+dfsg",
        ),
        ({"title": "A title", "severity": "HIGH", "packageVulnerabilityDetails": {}}, "HIGH A title"),
    ],
)
def test_a_finding_is_one_line_whichever_scanner_found_it(shown, line):
    assert Finding.from_ecr(shown).line() == line


@given(st.text(), st.text())
def test_whatever_is_in_its_names_a_finding_is_one_short_line_that_can_be_printed(name, package):
    line = Finding.from_ecr(basic("HIGH", name, package_name=package)).line()
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert line.isprintable()
    assert len(line) <= LINE_LIMIT


@pytest.mark.parametrize(("status", "expected"), STATUSES.items())
def test_each_status_says_whether_there_is_a_scan_and_whether_to_wait(status, expected):
    scan = Scan(status, dated=True)
    assert (scan.finished, scan.under_way) == expected


@pytest.mark.parametrize("status", ["COMPLETE", "ACTIVE"])
def test_a_scan_that_is_said_to_be_complete_before_its_findings_are_there_is_waited_for(status):
    page = {"imageScanStatus": {"status": status}, "imageScanFindings": {"findings": []}}
    assert Scan.from_ecr([page]).under_way


def test_the_findings_of_all_pages_count_but_not_those_that_are_suppressed():
    status = {"imageScanStatus": {"status": "ACTIVE", "description": "Continuous scan is selected."}}
    pages = [
        status | {"imageScanFindings": {"imageScanCompletedAt": 1, "findings": [basic("HIGH")]}},
        status | {"imageScanFindings": {"enhancedFindings": [enhanced("LOW"), enhanced("HIGH") | {"status": "SUPPRESSED"}]}},
        status,
    ]  # fmt: skip
    scan = Scan.from_ecr(pages)
    assert [each.severity for each in scan.findings] == ["HIGH", "LOW"]
    assert (scan.status, scan.dated) == ("ACTIVE", True)


@pytest.mark.parametrize(
    ("refuses", "kept_out"), [("high", ["CRITICAL", "HIGH"]), ("critical", ["CRITICAL"]), ("none", [])]
)
def test_findings_of_the_chosen_severities_block_an_image_worst_first(refuses, kept_out):
    findings = found("LOW", "HIGH", "UNDEFINED", "CRITICAL", "MEDIUM", "INFORMATIONAL", "UNTRIAGED")
    assert [each.severity for each in blocking(findings, refuses)] == kept_out


@pytest.mark.parametrize(
    ("severities", "refuses", "sentence"),
    [
        (["CRITICAL", "HIGH", "HIGH"], "high",
         "The scan found 1 critical and 2 high vulnerabilities, and this install rejects critical and high ones."),
        (["HIGH"], "high", "The scan found 1 high vulnerability, and this install rejects critical and high ones."),
        (["CRITICAL", "CRITICAL", "HIGH"], "critical",
         "The scan found 2 critical vulnerabilities, and this install rejects critical ones."),
    ],
)  # fmt: skip
def test_a_refusal_begins_with_a_sentence(severities, refuses, sentence):
    assert refused(found(*severities), refuses)[0] == sentence


def test_a_refusal_lists_its_findings_and_says_where_to_read_them():
    lines = refused(found("HIGH", "CRITICAL", "LOW"))
    command = f"aws ecr describe-image-scan-findings --repository-name web --image-id imageDigest={DIGEST} --region eu-west-1"
    assert lines[1:] == ["CRITICAL CVE-1 in lib1 1", "HIGH CVE-0 in lib0 1", f"Read all 2 with: {command}"]
    assert refused(found("HIGH"))[-1] == f"Read it with: {command}"


def test_a_refusal_of_any_length_fits_into_the_cause_of_a_state():
    lines = refused([Finding("CVE" * 50, "HIGH", '"' * 500, "")] * 5000)
    assert len(lines) == LISTED + 2
    assert len(json.dumps("\n".join(lines))) < 30_000
    assert "5000 high vulnerabilities" in lines[0]
    assert "Read all 5000" in lines[-1]


def test_a_refusal_is_reported_by_its_counts_its_sentence_and_its_list():
    lines = refused(found("CRITICAL", "HIGH", "HIGH"))
    why = explain(
        error="FindingsError",
        message="\n".join(lines),
        task=None,
        log=[],
        port=3000,
        memory="",
        architecture="",
    )
    assert why.summary == "was refused: 1 critical and 2 high vulnerabilities"
    assert why.reason == lines[0]
    assert why.details == tuple(lines[1:])
    assert "BlockOnFindings" in why.hint


def test_a_refusal_whose_cause_was_cut_is_still_one():
    why = explain(
        error="FindingsError", message="{cut", task=None, log=[], port=3000, memory="", architecture=""
    )
    assert why.summary == "was refused: its scan found vulnerabilities"


@pytest.mark.parametrize(
    ("scan", "reason"),
    [
        (Scan(), "ECR did not start a scan of the image within 5 minutes. Turn on scan on push for the repository web, or scan each image (aws ecr start-image-scan)."),
        (Scan("IN_PROGRESS"), "The scan of the image did not end within 5 minutes (IN_PROGRESS)."),
        (Scan("UNSUPPORTED_IMAGE", "The operating system is not supported."),
         "ECR could not scan the image (UNSUPPORTED_IMAGE): The operating system is not supported."),
        (Scan("FAILED"), "ECR could not scan the image (FAILED)."),
    ],
)  # fmt: skip
def test_an_image_that_was_not_scanned_is_reported_with_the_reason(scan, reason):
    assert scan.why_not_finished(repository="web", minutes=5) == reason
