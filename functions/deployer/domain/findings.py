"""The findings of an image scan, and which of them reject the image.

Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The severities that each choice rejects, the worst first.
REFUSES = {"none": (), "critical": ("CRITICAL",), "high": ("CRITICAL", "HIGH")}
# ACTIVE is continuous scanning after its first scan of the image; it never ends.
FINISHED = ("COMPLETE", "ACTIVE")
UNDER_WAY = ("", "PENDING", "IN_PROGRESS")
# The cause of a failed state holds 32 KiB.
LISTED = 100
LINE_LIMIT = 120
UNPRINTABLE = re.compile("[^ -~]+")


@dataclass(frozen=True)
class Finding:
    """A vulnerability; `package` is a name and a version, `fixed_in` a version, each '' if it is not known."""

    name: str
    severity: str
    package: str
    fixed_in: str

    @classmethod
    def from_ecr(cls, found: Mapping[str, Any]) -> "Finding":
        """Read a finding of basic scanning, or of enhanced scanning, which has Inspector's shape."""
        severity = str(found.get("severity") or "UNDEFINED")
        details = found.get("packageVulnerabilityDetails")
        if details is None:
            known = {each["key"]: each.get("value", "") for each in found.get("attributes") or []}
            package = f"{known.get('package_name', '')} {known.get('package_version', '')}"
            return cls(str(found.get("name") or ""), severity, package.strip(), "")
        name = str(details.get("vulnerabilityId") or found.get("title") or "")
        (first, *_) = details.get("vulnerablePackages") or [{}]
        version = "-".join(filter(None, (first.get("version"), first.get("release"))))
        fixed_in = str(first.get("fixedInVersion") or "")
        package = f"{first.get('name', '')} {version}".strip()
        return cls(name, severity, package, "" if fixed_in == "NotAvailable" else fixed_in)

    def line(self) -> str:
        """`CRITICAL CVE-2026-1234 in zlib 1.2.13, fixed in 1.2.14`, on one line whatever is in the names."""
        package = f" in {self.package}" if self.package else ""
        fixed = f", fixed in {self.fixed_in}" if self.fixed_in else ""
        return UNPRINTABLE.sub("?", f"{self.severity} {self.name}{package}{fixed}")[:LINE_LIMIT]


@dataclass(frozen=True)
class Scan:
    """`status` is ECR's, '' if there is no scan; `description` is ECR's explanation.

    `dated` says that ECR reports when the scan ended. With enhanced scanning, ECR may show the status COMPLETE
    or ACTIVE some seconds before that date and the findings: https://github.com/aws/aws-sdk/issues/289
    """

    status: str = ""
    description: str = ""
    dated: bool = False
    findings: tuple[Finding, ...] = ()

    @classmethod
    def from_ecr(cls, pages: Sequence[Mapping[str, Any]]) -> "Scan":
        """Read the pages of an answer, without findings that are suppressed in Inspector or closed."""
        status = pages[0].get("imageScanStatus") or {}
        shown = [page.get("imageScanFindings") or {} for page in pages]
        found = [
            Finding.from_ecr(each)
            for kind in ("findings", "enhancedFindings")
            for page in shown
            for each in page.get(kind) or []
            if each.get("status", "ACTIVE") == "ACTIVE"
        ]
        dated = any("imageScanCompletedAt" in page for page in shown)
        return cls(str(status.get("status") or ""), str(status.get("description") or ""), dated, tuple(found))

    @property
    def finished(self) -> bool:
        """Whether the image was scanned."""
        return self.status in FINISHED

    @property
    def under_way(self) -> bool:
        """Whether the scan may still finish."""
        return self.status in UNDER_WAY or (self.finished and not self.dated)

    def why_not_finished(self, *, repository: str, minutes: int) -> str:
        """A sentence; `minutes` is how long Portcall waited."""
        if not self.status:
            return (
                f"ECR did not start a scan of the image within {minutes} minutes. Turn on scan on "
                f"push for the repository {repository}, or scan each image (aws ecr start-image-scan)."
            )
        if self.under_way:
            return f"The scan of the image did not end within {minutes} minutes ({self.status})."
        said = f": {self.description}" if self.description else "."
        return f"ECR could not scan the image ({self.status}){said}"


def blocking(findings: Sequence[Finding], refuses: str) -> list[Finding]:
    """The findings that reject an image, the worst first."""
    order = REFUSES[refuses]
    blocks = [each for each in findings if each.severity in order]
    return sorted(blocks, key=lambda each: (order.index(each.severity), each.name))


def refusal(blocks: Sequence[Finding], refuses: str, *, repository: str, digest: str, region: str) -> str:
    """A sentence, then a line for each of at most 100 findings, then the command that shows all."""
    counts = Counter(each.severity for each in blocks)
    found = " and ".join(f"{counts[each]} {each.lower()}" for each in REFUSES[refuses] if counts[each])
    noun = "vulnerability" if len(blocks) == 1 else "vulnerabilities"
    kinds = " and ".join(REFUSES[refuses]).lower()
    sentence = f"The scan found {found} {noun}, and this install rejects {kinds} ones."
    command = (
        f"aws ecr describe-image-scan-findings --repository-name {repository} "
        f"--image-id imageDigest={digest} --region {region}"
    )
    read = f"Read {'it' if len(blocks) == 1 else f'all {len(blocks)}'} with: {command}"
    return "\n".join([sentence, *(each.line() for each in blocks[:LISTED]), read])
