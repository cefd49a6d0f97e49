"""How long an event waits for a function that is throttled in the embedded cloud."""

from types import SimpleNamespace
from typing import Any

import pytest

from localcloud.patches.aws_lambda import async_invocations

HOUR = 3600.0


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`waits(config)` is how long an event waits for a function that is always throttled."""
    clock = SimpleNamespace(now=0.0)

    def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr(async_invocations, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))

    def of(**configs: Any) -> float:
        token = async_invocations._asynchronous.set(True)
        try:
            said = async_invocations._wait_for_a_slot(lambda *_: {"throttle": True}, configs, {})
        finally:
            async_invocations._asynchronous.reset(token)
        assert said == {"throttle": True}
        return float(clock.now)

    return of


def test_it_waits_for_six_hours(waits: Any) -> None:
    assert waits() == pytest.approx(6 * HOUR, abs=10)


def test_it_waits_no_longer_than_the_function_allows(waits: Any) -> None:
    shortest = {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
    assert waits(event_invoke_configs={"$LATEST": shortest}) == pytest.approx(60, abs=5)
