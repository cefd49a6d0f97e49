"""`portcall verify-aws` is interrupted, resumed and cleaned up."""

import signal

import pytest

from tests.e2e.verifying import Verify, verify
from tests.local.conftest import eventually

__all__ = ["verify"]
pytestmark = pytest.mark.long(45)


def test_an_interrupted_run_is_cleaned_up_and_can_be_resumed(verify: Verify) -> None:
    before = verify.everything()
    process = verify.start("--only", "install,first-push")
    # In the middle of `sam deploy`.
    eventually(lambda: "CREATE_IN_PROGRESS" in verify.stacks().values(), within=120)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=480)
    assert process.returncode == 1
    assert "Interrupted. Continue with: portcall verify-aws --resume" in said
    assert verify.state["results"]["install"]["observed"] == "interrupted"
    assert verify.everything() == before, said

    code, said = verify.says("--resume", "--keep", "--only", "install")
    assert code == 0, said
    assert "portcall verify-aws --clean" in said
    assert list(verify.stacks().values()).count("CREATE_COMPLETE") == 1

    code, said = verify.says("--resume", "--only", "install,first-push")
    assert code == 0, said
    # The install was there, and was not made again.
    assert (verify.state["install"], verify.verdicts()) == (2, {"install": "same", "first-push": "same"})
    assert verify.everything() == before


def test_clean_removes_an_install_that_was_kept(verify: Verify) -> None:
    before = verify.everything()
    code, said = verify.says("--keep", "--only", "install")
    assert code == 0, said
    code, said = verify.says("--clean", verify.state["name"])
    assert code == 0, said
    assert verify.everything() == before
