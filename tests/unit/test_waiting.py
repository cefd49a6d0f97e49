"""The verdict on a pushed digest: 0 only if this digest is live, not if another version answers."""

import pytest
from deployer.domain.deployment import Current, Deployment

from portcall.core import duration
from portcall.core.states import BY_HAND
from portcall.core.waiting import Image, verdict

MINE, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
SINCE = 1000


def push(outcome="", **facts):
    known = {
        "deployment": "push-1",
        "time": "2026-11-25T11:00:00Z",
        "tag": "latest",
        "digest": MINE,
        "sequence": 20,
    }
    return Deployment(
        **known | {"outcome": outcome, "began_at": 1100, "ended_at": 1200 if outcome else 0} | facts
    )


def serves(digest=MINE, deployment="push-1", **facts):
    known = {"sequence": 20, "task": "t", "url": "http://203.0.113.7/", "tag": "latest", "revision": "r", "since": "2026-11-25T10:00:00Z"}  # fmt: skip
    return Current(**known | {"deployment": deployment, "digest": digest} | facts)


OLD_ONE = {"began_at": 100, "ended_at": 200}
DOWN = {"last_stop": "t", "gave_up_reason": "It crashed 3 times within ten minutes.", "gave_up_at": 1200}
OTHER_ONE = serves(OTHER, "push-2", sequence=30)
PATIENT = {
    "there is no deployment": (None, [], None),
    "another serves": (OTHER_ONE, [], None),
    "in progress": (None, [push()], None),
    "on its way while another serves": (serves(OTHER, "push-0", sequence=10), [push()], None),
    "current, but its stable URL may point elsewhere": (serves(), [push()], None),
    "live": (serves(), [push("deployed")], 0),
    "live for long": (serves(), [], 0),
    "live for long, and deployed once more": (serves(deployment="push-0"), [push()], 0),
    "deployed, and down since": (serves(**DOWN), [push("deployed")], 1),
    "deployed, and stopped by hand": (serves(last_stop="t", gave_up_reason=BY_HAND, gave_up_at=1200), [push("deployed")], 1),
    "deployed, and being started again": (serves(last_stop="t"), [push("deployed")], None),
    "down before it was pushed again": (serves(**DOWN | {"gave_up_at": 500}), [push("deployed", **OLD_ONE)], None),
    "failed": (None, [push("failed")], 1),
    "failed while another serves": (serves(OTHER, "push-0", sequence=10), [push("failed")], 1),
    "failed long ago, so it may have been pushed again": (None, [push("failed", **OLD_ONE)], None),
    "superseded": (OTHER_ONE, [push("superseded")], 3),
    "live and replaced": (OTHER_ONE, [push("deployed")], 3),
    "replaced long ago, so it may have been pushed again": (OTHER_ONE, [push("deployed", **OLD_ONE)], None),
    "no app": (None, [push("ignored")], 5),
    "ended": (None, [push("ended", deployment="end-1"), push("deployed")], 1),
    "to be tried once more": (None, [push("retried")], None),
    "tried once more, on its way": (None, [push(deployment="retry-2-push-1"), push("retried", notified_at=1)], None),
    "tried once more, live": (serves(deployment="retry-2-push-1"), [push("deployed", deployment="retry-2-push-1"), push("retried", notified_at=1)], 0),
    "tried once more, failed": (None, [push("failed", deployment="retry-2-push-1"), push("retried", notified_at=1)], 1),
    "the duplicate's other is on its way": (None, [push("duplicate", deployment="push-3"), push()], None),
    "the duplicate's other failed": (None, [push("duplicate", deployment="push-3"), push("failed")], 1),
    "another tag of it, which is on its way": (None, [push("same image", deployment="push-3", tag="v1"), push()], None),
    "another tag of it, which failed": (None, [push("same image", deployment="push-3", tag="v1"), push("failed")], 1),
    "another tag of what is live": (serves(), [push("same image", deployment="push-3", tag="v1")], 0),
    "a restart that failed is no failed push": (
        serves(last_stop="t"),
        [push("failed", deployment="restart-1", restart={"reason": "exit code 1"}), push("deployed")],
        None,
    ),
    "a superseded restart is not a superseded push": (
        OTHER_ONE,
        [push("superseded", deployment="restart-1", restart={"reason": "exit code 1"}), push("deployed", **OLD_ONE)],
        None,
    ),
    "an outcome of the future": (None, [push("postponed")], None),
}  # fmt: skip
IMPATIENT = {
    "down": (serves(**DOWN | {"gave_up_at": 500}), [push("deployed", **OLD_ONE)], 1),
    "failed": (None, [push("failed", **OLD_ONE)], 1),
    "replaced long ago is no verdict ever": (OTHER_ONE, [push("deployed", **OLD_ONE)], None),
    "there is no deployment": (None, [], None),
}  # fmt: skip


def code(current, deployments, *, patient):
    found = verdict("flask-app", MINE, current, deployments, since=SINCE, patient=patient)
    return None if found is None else int(found.code)


@pytest.mark.parametrize(("current", "deployments", "expected"), PATIENT.values(), ids=PATIENT)
def test_verdict(current, deployments, expected):
    assert code(current, deployments, patient=True) == expected


@pytest.mark.parametrize(("current", "deployments", "expected"), IMPATIENT.values(), ids=IMPATIENT)
def test_verdict_once_no_newer_push_was_found(current, deployments, expected):
    assert code(current, deployments, patient=False) == expected


@pytest.mark.parametrize("name", [name for name, (_, _, expected) in PATIENT.items() if expected == 0])
def test_live_is_only_what_has_that_digest_and_a_url(name):
    current, deployments, _ = PATIENT[name]
    found = verdict("flask-app", MINE, current, deployments, since=SINCE, patient=True)
    assert (found.outcome, found.url, found.digest) == ("live", current.url, MINE)


def test_a_failure_says_why_and_what_serves():
    failed = push("failed", reason="exit code 1", summary="failed to start", hint="Read the log.", log=["boom"])
    found = verdict("flask-app", MINE, serves(OTHER, "push-0"), [failed], since=SINCE, patient=True)
    assert found.said == "flask-app failed to start. latest bbbbbbb is running at http://203.0.113.7/"
    assert (found.reason, found.hint, found.log, found.seconds) == (
        "exit code 1",
        "Read the log.",
        ["boom"],
        100,
    )
    assert found.url == ""


def test_the_verdict_on_a_worker_names_no_url():
    failed = push("failed", summary="failed to start")
    found = verdict("flask-app", MINE, serves(OTHER, "push-0", url=""), [failed], since=SINCE, patient=True)
    assert found.said == "flask-app failed to start. latest bbbbbbb is running"
    live = verdict("flask-app", MINE, serves(url=""), [push("deployed")], since=SINCE, patient=True)
    assert live.said == (
        "flask-app is live: it runs, and listens on no port (latest aaaaaaa, since 2026-11-25T10:00:00Z)"
    )


@pytest.mark.parametrize(
    "registry", ["", "localhost:4566/", "localhost/", "111122223333.dkr.ecr.eu-west-1.amazonaws.com/"]
)
def test_an_image_is_named_as_docker_names_it(registry):
    assert Image.parse(f"{registry}team/web:v1@{MINE}") == Image("team/web", "v1", MINE)
    assert Image.parse(f"{registry}web@{MINE}") == Image("web", "", MINE)
    assert Image.parse(f"{registry}web:v1") == Image("web", "v1", "")


@pytest.mark.parametrize("text", ["", "web", "team/web", ":v1", "web:", "web:v1@", "web:v1@sha256:12", f"web@{MINE}0", "Web:v1", "web:v1\n", "web:v 1", "[red]:v1", f"web@{MINE.upper()}"])  # fmt: skip
def test_an_incomplete_or_invalid_image_reference_is_refused(text):
    with pytest.raises(ValueError, match=r"write flask-app|is not a digest"):
        Image.parse(text)


def test_durations():
    assert [duration.seconds(each) for each in ("90", "90s", "15m", "1h30m", "2d")] == [
        90,
        90,
        900,
        5400,
        172800,
    ]


@pytest.mark.parametrize("text", ["", "m", "15 m", "-1", "1.5h", "1w", "10 minutes", "1h30", "9" * 12])
def test_an_invalid_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        duration.seconds(text)
