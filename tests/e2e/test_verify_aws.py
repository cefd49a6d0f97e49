"""`portcall verify-aws` runs completely against the embedded cloud."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import StateFolder
from tests.e2e.verifying import Verify, verifying
from tests.local.conftest import ACCOUNT

pytestmark = pytest.mark.long(165)

# What the embedded cloud cannot show. Each is a line in docs/verify-aws.md, too.
NOT_RUN_HERE = {"function-start-up", "other-cpu", "narrow-cidr-keeps-out"}


@dataclass
class Whole:
    """What was in the account before the run, and what the command said."""

    verify: Verify
    before: dict[str, Any]
    code: int
    said: str


# Several tests of one run: xdist puts another file behind one of less than three tests, before it begins.
@pytest.fixture(scope="module")
def whole(base_image: None, state_folder: StateFolder) -> Iterator[Whole]:
    with verifying(state_folder("verify")) as verify:
        before = verify.everything()
        yield Whole(verify, before, *verify.says())


def test_each_check_is_as_expected(whole: Whole) -> None:
    verdicts = whole.verify.verdicts()
    assert {name for name, verdict in verdicts.items() if verdict == "failed"} == set(), whole.said
    assert {name for name, verdict in verdicts.items() if verdict == "not run"} == NOT_RUN_HERE
    assert {name for name, verdict in verdicts.items() if verdict == "different"} == set(), whole.said
    assert whole.code == 0, whole.said


def test_nothing_is_left(whole: Whole) -> None:
    assert whole.verify.everything() == whole.before
    assert "Everything that was created is deleted" in whole.said


def test_the_report_does_not_name_the_account_and_claims_nothing_about_aws(whole: Whole) -> None:
    assert ACCOUNT not in whole.verify.report
    assert "proves nothing about AWS" in whole.verify.report


def test_the_evidence_has_the_events_and_the_mails(whole: Whole) -> None:
    evidence = json.loads((whole.verify.state_dir / "verify-aws.json").read_text())
    assert {each["event"]["source"] for each in evidence["events"]} == {"aws.ecr", "aws.ecs"}
    assert {each["document"]["outcome"] for each in evidence["mails"]} == {"deployed", "failed", "ended"}


def test_further_changes_of_parameters_need_no_packing(whole: Whole) -> None:
    """The first `sam deploy` installs, the second changes a parameter, as the README says."""
    (log,) = whole.verify.state_dir.glob("verify-aws-*.log")
    assert log.read_text().count("/sam deploy ") == 2
