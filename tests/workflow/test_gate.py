"""With BlockOnFindings, an image with severe findings never runs."""

import json
from collections.abc import Callable, Iterator

import pytest
from deployer import settings
from deployer.aws import ledger
from deployer.domain.errors import AccessDeniedError, ThrottledError
from deployer.domain.findings import Finding, Scan
from deployer.steps import check_findings

from tests.images import AMD64, ARM64, child, index

BAD = Scan(
    "COMPLETE",
    dated=True,
    findings=(
        Finding("CVE-2026-2", "HIGH", "zlib 1.2", "1.3"),
        Finding("CVE-2026-1", "CRITICAL", "openssl 3.0", ""),
        Finding("CVE-2026-3", "LOW", "bash 5.2", ""),
    ),
)
CLEAN = Scan("COMPLETE", dated=True)
PENDING = Scan("IN_PROGRESS")


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`gate("high")` is what deploying with BlockOnFindings=high does."""
    caches = (settings.image_settings, settings.scan_gate)

    def deployed_with(refuses: str, *, when_not_scanned: str = "refuse") -> None:
        monkeypatch.setenv("BLOCK_ON_FINDINGS", refuses)
        monkeypatch.setenv("WHEN_NOT_SCANNED", when_not_scanned)
        for cache in caches:
            cache.cache_clear()

    yield deployed_with
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The five minutes are over at once."""
    monkeypatch.setattr(check_findings, "SCAN_TIMEOUT_SECONDS", 0)


def current():
    return ledger.current(app="flask-app")


def test_without_the_gate_nobody_asks_for_a_scan(deploy, world, push):
    world.scans = [BAD]
    execution = deploy(push(1))
    assert execution.status == "SUCCEEDED"
    assert "CheckFindings" not in execution.states
    assert world.scanned == []


def test_a_clean_image_is_let_in(deploy, world, push, gate):
    gate("high")
    world.scans = [CLEAN]
    execution = deploy(push(1))
    assert execution.states[-1] == "PublishUrl"
    assert world.scanned == [("flask-app", push(1)["detail"]["image-digest"])]
    assert "scan" in world.mails[0]["document"]["phases"]
    assert "not scanned" not in world.mails[0]["text"]


def test_an_image_with_findings_is_refused_with_the_list_and_never_runs(deploy, world, push, gate):
    deploy(push(1))
    gate("high")
    world.scans = [BAD]
    execution = deploy(push(2))
    assert (execution.status, execution.error) == ("FAILED", "FindingsError")
    assert execution.cause == (
        "The scan found 1 critical and 1 high vulnerabilities, and this install rejects critical and high ones."
    )
    mail = world.mails[-1]
    assert mail["subject"] == "flask-app was refused: 1 critical and 1 high vulnerabilities"
    assert mail["text"].splitlines()[1] == f"Reason: {execution.cause}"
    assert (
        "    CRITICAL CVE-2026-1 in openssl 3.0\n    HIGH CVE-2026-2 in zlib 1.2, fixed in 1.3\n"
        in mail["text"]
    )
    assert "CVE-2026-3" not in mail["text"]
    assert f"still running at {current().url}" in mail["text"]
    assert mail["document"]["details"][0] == "CRITICAL CVE-2026-1 in openssl 3.0"
    assert len(world.started) == len(world.revisions) == 1
    assert current().deployment == "push-1"


def test_findings_below_the_chosen_severity_are_accepted(deploy, world, push, gate):
    gate("critical")
    world.scans = [Scan("ACTIVE", dated=True, findings=BAD.findings[:1])]
    assert deploy(push(1)).status == "SUCCEEDED"


def test_a_refused_push_supersedes_nothing(deploy, world, push, gate):
    gate("high")
    world.scans = [CLEAN, BAD]
    world.faults["is_newest"] = [
        lambda: deploy({**push(2), "detail": push(2)["detail"] | {"image-tag": "next"}})
    ]
    assert deploy(push(1)).states[-1] == "PublishUrl"
    assert current().deployment == "push-1"


@pytest.mark.parametrize("missing", [Scan(), PENDING, Scan("PENDING"), Scan("COMPLETE", dated=False)])
def test_a_scan_that_has_not_ended_is_waited_for(deploy, world, push, gate, missing):
    gate("high")
    world.scans = [missing, missing, BAD]
    assert deploy(push(1)).error == "FindingsError"
    assert len(world.scanned) == 3


@pytest.mark.parametrize("scan", [Scan(), PENDING])
def test_a_scan_that_never_ends_is_waited_for_so_long_and_no_longer(deploy, world, push, gate, impatient, scan):
    gate("high")
    world.scans = [scan]
    execution = deploy(push(1))
    assert (execution.status, execution.error) == ("FAILED", "NotScannedError")
    assert world.mails[-1]["subject"] == "flask-app was refused: it was not scanned"
    assert world.mails[-1]["text"].splitlines()[1] == f"Reason: {execution.cause}"
    assert not world.started


def test_a_repository_that_is_not_scanned_is_named(deploy, world, push, gate, impatient):
    gate("high")
    assert "Turn on scan on push for the repository flask-app" in deploy(push(1)).cause
    assert "WhenNotScanned=deploy" in world.mails[-1]["text"]


def test_a_scan_that_failed_is_not_waited_for(deploy, world, push, gate):
    gate("high")
    world.scans = [Scan("UNSUPPORTED_IMAGE", "The operating system is not supported.")]
    execution = deploy(push(1))
    assert execution.error == "NotScannedError"
    assert "The operating system is not supported." in execution.cause
    assert len(world.scanned) == 1


@pytest.mark.parametrize("scan", [Scan(), PENDING, Scan("FAILED", "No room.")])
def test_when_not_scanned_deploy_accepts_an_unscanned_image_and_the_mail_says_so(
    deploy, world, push, gate, impatient, scan
):
    gate("high", when_not_scanned="deploy")
    world.scans = [scan]
    assert deploy(push(1)).status == "SUCCEEDED"
    assert "It was deployed without a scan result (WhenNotScanned=deploy)." in world.mails[-1]["text"]


def test_an_image_with_findings_is_refused_though_its_scan_does_not_end(deploy, world, push, gate, impatient):
    gate("high", when_not_scanned="deploy")
    world.scans = [Scan("IN_PROGRESS", findings=BAD.findings)]
    assert deploy(push(1)).error == "FindingsError"


def test_a_clean_scan_that_ecr_never_dates_is_believed_in_the_end(deploy, world, push, gate, impatient):
    gate("high")
    world.scans = [Scan("ACTIVE", dated=False)]
    assert deploy(push(1)).status == "SUCCEEDED"
    assert "not scanned" not in world.mails[-1]["text"]


def test_of_an_index_it_is_the_image_that_would_run_whose_scan_counts(deploy, world, push, gate):
    gate("high")
    world.scans = [CLEAN]
    pushed = push(1)
    world.manifests[pushed["detail"]["image-digest"]] = index(
        child(ARM64, "linux/arm64"), child(AMD64, "linux/amd64")
    )
    assert deploy(pushed).status == "SUCCEEDED"
    assert world.scanned == [("flask-app", AMD64)]


def test_the_scanned_image_runs_though_another_poses_as_an_attestation(deploy, world, push, gate):
    gate("high")
    world.scans = [CLEAN]
    pushed = push(1)
    posing = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": AMD64}
    hidden = child("sha256:" + "e" * 64, "linux/amd64", annotations=posing)
    world.manifests[pushed["detail"]["image-digest"]] = index(hidden, child(AMD64, "linux/amd64"))
    assert deploy(pushed).status == "SUCCEEDED"
    (container,) = world.revisions[-1]["containerDefinitions"]
    assert container["image"].endswith(f"/flask-app@{AMD64}")
    assert world.scanned == [("flask-app", AMD64)]


def test_a_restart_does_not_pass_the_gate_again(deploy, world, push, gate, stop):
    gate("high")
    world.scans = [CLEAN, BAD]
    deploy(push(1))
    stop()
    assert len(world.scanned) == 1
    assert "is live again" in world.mails[-1]["subject"]


def test_a_gate_that_cannot_look_lets_nobody_in(deploy, world, push, gate):
    gate("high", when_not_scanned="deploy")
    world.scans = [CLEAN]
    world.faults["scan_findings"] = [ThrottledError("Rate exceeded"), AccessDeniedError("not authorized")]
    assert deploy(push(1)).error == "AccessDeniedError"
    assert not world.started


def test_a_long_list_is_cut_in_the_mail_and_longer_in_its_document(deploy, world, push, gate):
    gate("high")
    many = tuple(Finding(f"CVE-2026-{n:04}", "HIGH", "zlib 1.2", "1.3") for n in range(1500))
    world.scans = [Scan("COMPLETE", dated=True, findings=many)]
    deploy(push(1))
    (mail,) = world.mails
    assert mail["text"].count("HIGH CVE-2026-") == 20
    assert (
        "Read all 1500 with: aws ecr describe-image-scan-findings --repository-name flask-app" in mail["text"]
    )
    assert len(mail["document"]["details"]) == 101
    assert len(json.dumps(mail["document"])) < 60_000
