"""The state of an app, from the ledger: what serves and the outcome of the last push are separate."""

import pytest
from deployer.domain.deployment import Current, Deployment

from portcall.cli.layout import age, span
from portcall.core.states import BY_HAND, app_document, status_of

OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
SERVES = Current("push-1", 10, "task-1", "http://203.0.113.7:3000/", OLD, "latest", "rev:1", "2026-11-25T10:00:00+00:00")  # fmt: skip


def push(outcome="", **facts):
    known = {"deployment": "push-2", "time": "2026-11-25T11:00:00Z", "tag": "v2", "digest": NEW, "sequence": 20}
    return Deployment(
        **known | {"outcome": outcome, "began_at": 100, "ended_at": 200 if outcome else 0} | facts
    )


def first(**facts):
    return push("deployed", deployment="push-1", time="2026-11-25T09:59:00Z", digest=OLD, sequence=10, **facts)


def serves(**facts):
    return Current(**{**SERVES.__dict__, **facts})


RESTART = {"deployment": "push-1", "sequence": 10, "revision": "rev:1", "reason": "exit code 1"}
STATES = {
    "live": (SERVES, [first()], "live", True),
    "live, and nothing of it is kept": (SERVES, [], "live", True),
    "the first is on its way": (None, [push()], "deploying", False),
    "the next is on its way": (SERVES, [push(), first()], "deploying", True),
    "it is tried once more": (SERVES, [push("retried"), first()], "deploying", True),
    "the first failed": (None, [push("failed")], "failed", False),
    "the next failed": (SERVES, [push("failed"), first()], "failed", True),
    "the next failed before it had a number": (SERVES, [push("failed", sequence=0), first()], "failed", True),
    "an older one failed late": (SERVES, [push("failed", sequence=5), first()], "live", True),
    "the next failed within the same second": (
        SERVES,
        [push("failed", deployment="a", time="2026-11-25T09:59:00Z"), first()],
        "failed",
        True,
    ),
    "superseded": (SERVES, [push("superseded"), first()], "live", True),
    "a chart was pushed": (SERVES, [push("ignored"), first()], "live", True),
    "a chart hides no failure": (
        SERVES,
        [push("ignored", deployment="push-3", time="2026-11-25T12:00:00Z"), push("failed"), first()],
        "failed",
        True,
    ),
    "a duplicate hides no failure": (
        SERVES,
        [push("duplicate", deployment="push-3", time="2026-11-25T12:00:00Z"), push("failed"), first()],
        "failed",
        True,
    ),
    "another tag of an image hides no failure": (
        SERVES,
        [push("same image", deployment="push-3", time="2026-11-25T12:00:00Z"), push("failed"), first()],
        "failed",
        True,
    ),
    "it stopped and is being started": (
        serves(last_stop="task-1", reason="exit code 1"),
        [push(deployment="restart-1", restart=RESTART), first()],
        "deploying",
        False,
    ),
    "it stopped and a restart failed": (
        serves(last_stop="task-1", reason="exit code 1"),
        [push("failed", deployment="restart-1", restart=RESTART), first()],
        "down",
        False,
    ),
    "it was given up": (
        serves(last_stop="task-1", gave_up_reason="It crashed 3 times within ten minutes.", gave_up_at=150),
        [first()],
        "down",
        False,
    ),
    "it was given up, and the next failed": (
        serves(last_stop="task-1", gave_up_reason="It crashed 3 times within ten minutes.", gave_up_at=150),
        [push("failed"), first()],
        "failed",
        False,
    ),
    "somebody stopped it": (serves(last_stop="task-1", gave_up_reason=BY_HAND, notified_at=150), [first()], "stopped", False),
    "it is ending": (serves(ended=True, gave_up_reason="Its tag was deleted."), [first()], "ended", False),
    "it has ended": (None, [push("ended", deployment="end-push-1"), first()], "ended", False),
    "it has ended, and that is not written yet": (None, [first()], "ended", False),
}  # fmt: skip


@pytest.mark.parametrize(("current", "deployments", "state", "is_up"), STATES.values(), ids=STATES)
@pytest.mark.parametrize("order", [1, -1])
def test_an_apps_state_and_url_follow_from_its_records_in_any_order(current, deployments, state, is_up, order):
    status = status_of("flask-app", current, deployments[::order])
    assert status.state == state
    assert bool(status.serving) == is_up
    assert status.url == (SERVES.url if is_up else "")


def test_a_repository_without_apps_has_no_status():
    assert status_of("charts", None, [push("ignored")]) is None
    assert status_of("charts", None, []) is None


def test_serving_and_latest_are_kept_apart():
    document = app_document(
        status_of("flask-app", SERVES, [push("failed", reason="exit code 1\nmore"), first()])
    )
    assert (document["state"], document["serving"]["digest"], document["latest"]["digest"]) == (
        "failed",
        OLD,
        NEW,
    )
    assert document["note"] == "exit code 1. latest aaaaaaa serves."
    assert set(document) == {
        "app",
        "state",
        "url",
        "since",
        "note",
        "usd_a_month",
        "serving",
        "latest",
        "pin",
        "stop",
    }
    assert set(document["serving"]) == {
        "deployment", "tag", "digest", "url", "direct_url", "since", "until", "task", "revision", "previous",
    }  # fmt: skip
    assert set(document["latest"]) == {
        "deployment", "time", "tag", "digest", "outcome", "began_at", "ended_at", "url", "reason", "error", "hint", "restart", "attempt", "asked",
    }  # fmt: skip


def test_down_says_why():
    current = serves(
        last_stop="task-1", reason="exit code 137", gave_up_reason="It crashed 3 times.", gave_up_at=150
    )
    status = status_of("flask-app", current, [first()])
    assert (status.note, status.since) == ("exit code 137. It crashed 3 times.", 150)


def test_spans_are_short():
    assert [span(s) for s in (0, 119, 120, 7199, 7200, 172799, 172800)] == ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d"]  # fmt: skip
    assert (age(0), age(100, now=112), age(100, now=90)) == ("-", "12 s", "0 s")
