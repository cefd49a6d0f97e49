"""CheckFindings: with BlockOnFindings, rejects images by the severity of what ECR's scan found."""

import time

from deployer.aws import ecr
from deployer.domain import findings
from deployer.domain.document import Document, Findings
from deployer.domain.errors import FindingsError, NotScannedError, ScanPendingError
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import scan_gate, settings

# The time-out of the SDK's waiter for scans. The state's retries last longer.
SCAN_TIMEOUT_SECONDS = 300


@ready("ecr")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> Findings:
    """Return `{"notes": [...], "at": UNIX seconds}`; a note says that an image was deployed unscanned.

    Raises ScanPendingError while there is time to wait, so that the state retries; then FindingsError or
    NotScannedError. ECR does not scan indexes, so the last digest is used, which is that of the image that
    would run.
    """
    push, refuses = Push.from_event(event, by_tag=settings().by_tag), scan_gate().refuses
    where = {"repository": push.repository, "digest": event["image"]["digests"][-1]}
    scan = ecr.scan_findings(**where)
    if scan.under_way and time.time() < event["image"]["at"] + SCAN_TIMEOUT_SECONDS:
        raise ScanPendingError(f"The scan of the image has not ended yet: {scan.status or 'none was started'}.")
    notes = []
    if not scan.finished:
        reason = scan.why_not_finished(repository=push.repository, minutes=SCAN_TIMEOUT_SECONDS // 60)
        if not scan_gate().lets_unscanned_in:
            raise NotScannedError(reason)
        notes.append(f"It was deployed without a scan result (WhenNotScanned=deploy). {reason}")
    blocks = findings.blocking(scan.findings, refuses)
    if blocks:
        raise FindingsError(findings.refusal(blocks, refuses, **where, region=settings().region))
    logger.info("Let an image in", extra={"app": push.app, "scan": scan.status, "found": len(scan.findings)})
    return {"notes": notes, "at": time.time()}
