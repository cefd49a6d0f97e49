"""Random orders of pushes, duplicates, late events and faults: the promises hold.

Acts are nested into each other: while one deployment makes a certain call, the next push happens.
"""

import contextlib
import time
from dataclasses import dataclass

import pytest
from deployer.aws import ledger
from deployer.domain.errors import AwsUnavailableError, DeployError, ThrottledError
from deployer.domain.missed_pushes import MAX_EVENT_DELAY_SECONDS
from deployer.domain.task import Task
from deployer.events import reconcile, restart_app
from deployer.settings import settings as deployer_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import LambdaContext, apps_with_slots, examples
from tests.promises import DIGEST, Mailed, Pushed, Ran, World, broken

pytestmark = pytest.mark.long(30)

MOMENTS = ["claim", "next_in_order", "note_in_order", "manifest", "is_newest", "register_task_definition", "run_task", "addresses", "probe", "current", "create_stable_url", "make_current", "update_target", "ask_address", "stop_task", "publish", "record", "mark_notified"]  # fmt: skip
FAULTS = [ThrottledError("Rate exceeded"), AwsUnavailableError("no answer")]


@dataclass(frozen=True)
class Act:
    """A push, or another delivery of an earlier one; `during` is when in the act before it happens."""

    push: int
    good: bool
    during: str
    faults: tuple[tuple[str, int], ...]
    crash_after: bool


ACTS = st.lists(
    st.builds(
        Act,
        push=st.integers(1, 4),
        good=st.booleans(),
        during=st.sampled_from(["", *MOMENTS]),
        faults=st.lists(st.tuples(st.sampled_from(MOMENTS[3:]), st.integers(0, 1)), max_size=2).map(tuple),
        crash_after=st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


def current():
    return ledger.current(app="flask-app")


def crash(world):
    """The current task ends by itself, and its event is delivered twice."""
    faults, world.faults = world.faults, {}
    serving = current()
    world.faults = faults
    if serving is None or serving.task not in world.live():
        return
    world.dead[serving.task] = Task(
        serving.task, "STOPPED", "STOPPED", 6, stop_code="EssentialContainerExited", exit_code=1
    )
    detail = {
        "taskArn": serving.task,
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "taskDefinitionArn": serving.revision,
        "containers": [{"name": "app", "exitCode": 1}],
    }
    for _ in range(2):
        # Lambda tries an event that failed twice more.
        for _attempt in range(3):
            with contextlib.suppress(DeployError):
                restart_app.handler({"id": "stop", "detail": detail}, LambdaContext())
                break


def play(acts, deploy, world, push):
    """Play the acts, nested as they say; returns the pushes in the order in which they were made."""
    made: list[int] = []
    left = list(acts)

    def next_act() -> None:
        if not left:
            return
        act = left.pop(0)
        if left and left[0].during:
            world.faults.setdefault(left[0].during, []).append(next_act)
        for moment, which in act.faults:
            world.faults.setdefault(moment, []).append(FAULTS[which])
        first = act.push not in made
        if first:
            made.append(act.push)
            if not act.good:
                world.bad.add(f"push-{act.push}")
        event = push(act.push)
        # AWS's clock advances, a second at a time; two pushes may share one.
        event["time"] = f"2026-11-20T09:15:{10 + made.index(act.push) // 2:02}Z"
        deploy(event, moves_the_tag=first)
        if act.crash_after:
            crash(world)

    while left:
        next_act()
    world.faults.clear()
    return made


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=ACTS, stays=st.sampled_from(["off", "on"]))
def test_the_promises_hold_once_all_has_settled(
    acts, stays, deploy, world, push, ledger_table, stable_url, monkeypatch
):
    ledger_table()
    monkeypatch.setenv("STABLE_URL", stays)
    deployer_settings.cache_clear()
    for collection in (world.bad, world.started, world.stopped, world.mails, world.revisions, world.tags, world.dead, world.faults, world.events, world.apis, world.cut_off, world.answers_of_run_task):  # fmt: skip
        collection.clear()
    made = play(acts, deploy, world, push)
    with monkeypatch.context() as patch:
        # What was superseded is reported once no event of it can be on its way any more.
        later = time.time() + 2 * MAX_EVENT_DELAY_SECONDS
        patch.setattr(time, "time", lambda: later)
        # What one sweep has updated or closed, the next one stops.
        for _ in range(3):
            reconcile.handler({"id": "sweep"}, LambdaContext())
        assert broken(afterwards(world, made, stays == "on", push)) == []
    outcomes = {each.outcome for each in known() if not each.restart}
    assert outcomes <= {"deployed", "failed", "superseded"}
    # No revision is registered for a push that was superseded before.
    assert len(world.revisions) <= len(made)
    assert len(set(world.started.values())) == len(world.started)


def known():
    return ledger.deployments(app="flask-app")[::-1]


def afterwards(world, made, has_stable_url, push):
    """The world as the promises read it."""
    pushes = [(name, push(number)["detail"]) for number in made for name in [f"push-{number}"]]
    of_deployment = {each.deployment: each.digest for each in known()}
    return World(
        pushes=[
            Pushed(name, "flask-app", detail["image-tag"], detail["image-digest"], name not in world.bad)
            for name, detail in pushes
        ],
        mails=[
            Mailed(
                "flask-app",
                mail["document"]["deployment"],
                mail["document"]["outcome"],
                mail["document"].get("task", ""),
                digests=frozenset(DIGEST.findall(mail["text"])),
            )
            for mail in world.mails
        ],
        tasks=[
            Ran(
                task=task,
                app="flask-app",
                deployment=by,
                digest=of_deployment[by],
                lives=task in world.live(),
                answered=by not in world.bad,
                crashed=task in world.dead,
            )
            for by, task in world.started.items()
        ],
        current={"flask-app": serving} if (serving := current()) else {},
        deployments={"flask-app": known()},
        tags=dict(world.tags),
        slots=apps_with_slots(),
        stable_urls={name: (api["app"], api["target"]) for name, api in world.apis.items()},
        with_stable_url={"flask-app"} if has_stable_url else set(),
        open={"flask-app": {each.deployment for each in ledger.open_deployments(app="flask-app")}},
        cut_off=world.cut_off,
        left_to_do=reconcile.handler({"id": "sweep"}, LambdaContext()),
    )
