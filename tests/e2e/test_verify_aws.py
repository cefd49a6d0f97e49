"""`portcall verify-aws` runs completely against the embedded cloud."""

import json

import pytest

from tests.e2e.verifying import Verify, verify
from tests.local.conftest import ACCOUNT

__all__ = ["verify"]
pytestmark = pytest.mark.long(200)

# What the embedded cloud cannot show. Each is a line in docs/verify-aws.md, too.
NOT_RUN_HERE = {"function-start-up", "other-cpu", "narrow-cidr-keeps-out"}


def test_the_whole_run_is_as_expected_and_leaves_nothing(verify: Verify) -> None:
    before = verify.everything()
    code, said = verify.says()
    verdicts = verify.verdicts()
    assert {name for name, verdict in verdicts.items() if verdict == "failed"} == set(), said
    assert {name for name, verdict in verdicts.items() if verdict == "not run"} == NOT_RUN_HERE
    assert {name for name, verdict in verdicts.items() if verdict == "different"} == set(), said
    assert code == 0, said
    assert verify.everything() == before
    assert "Everything that was created is deleted" in said
    assert ACCOUNT not in verify.report
    assert "proves nothing about AWS" in verify.report
    evidence = json.loads((verify.state_dir / "verify-aws.json").read_text())
    assert {each["event"]["source"] for each in evidence["events"]} == {"aws.ecr", "aws.ecs"}
    assert {each["document"]["outcome"] for each in evidence["mails"]} == {"deployed", "failed", "ended"}
    # The first installs, the second changes a parameter, as the README says; further changes need no packing.
    (log,) = verify.state_dir.glob("verify-aws-*.log")
    assert log.read_text().count("/sam deploy ") == 2
