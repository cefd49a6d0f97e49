"""What must hold whatever happens: pushes on top of each other, twice, late, broken, with faults at any call.

Acts are nested into each other: while one deployment makes a certain call, the next push happens.
"""

import contextlib
import itertools
from dataclasses import dataclass

from deployer.aws import ledger
from deployer.domain.errors import AwsUnavailableError, DeployError, ThrottledError
from deployer.domain.task import Task
from deployer.settings import settings as deployer_settings
from deployer.steps import reconcile, restart_app
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import LambdaContext

MOMENTS = ["claim", "next_in_order", "note_in_order", "manifest", "is_newest", "register_task_definition", "run_task", "addresses", "probe", "current", "open_address", "make_current", "move_address", "ask_address", "stop_task", "publish", "record", "mark_told"]  # fmt: skip
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
    return ledger.current(table="ledger", app="flask-app")


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
        # AWS's clock goes on, a second at a time; two pushes may share one.
        event["time"] = f"2026-11-20T09:15:{10 + made.index(act.push) // 2:02}Z"
        deploy(event, moves_the_tag=first)
        if act.crash_after:
            crash(world)

    while left:
        next_act()
    world.faults.clear()
    return made


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=ACTS, stays=st.sampled_from(["off", "on"]))
def test_when_the_dust_has_settled(acts, stays, deploy, world, push, ledger_table, stable_url, monkeypatch):
    ledger_table()
    monkeypatch.setenv("STABLE_URL", stays)
    deployer_settings.cache_clear()
    for collection in (world.bad, world.started, world.stopped, world.mails, world.revisions, world.tags, world.dead, world.faults, world.events, world.apis, world.cut_off):  # fmt: skip
        collection.clear()
    made = play(acts, deploy, world, push)
    # What one has led on or closed, the next one stops.
    for _ in range(3):
        reconcile.handler({"id": "sweep"}, LambdaContext())

    # Every push has one outcome.
    outcomes = {
        each.deployment: each.outcome
        for each in ledger.deployments(table="ledger", app="flask-app")
        if each.deployment.startswith("push-")
    }
    assert set(outcomes) == {f"push-{number}" for number in made}
    assert set(outcomes.values()) <= {"deployed", "failed", "superseded"}

    # One live task at the most, the current one's; none only where none ever answered, or it kept crashing.
    serving = current()
    live = world.live()
    if serving is None:
        assert live == set()
        assert "deployed" not in outcomes.values()
    else:
        assert live == (set() if serving.halted else {serving.task})

    # It is the last one pushed of those that answered: nothing newer was deployed and then lost.
    deployed = [number for number in made if outcomes[f"push-{number}"] == "deployed"]
    if serving is not None:
        assert serving.digest == f"sha256:{deployed[-1]:064x}"
    # The last push of all is never superseded: nothing overtook it.
    assert outcomes[f"push-{made[-1]}"] == ("failed" if f"push-{made[-1]}" in world.bad else "deployed")

    # An address that stays is one, leads to what serves or nowhere, and was never cut off from it.
    leads_to = [api["target"] for api in world.apis.values()]
    if serving is None or stays == "off":
        assert leads_to == []
    else:
        assert leads_to == [serving.target]
    assert world.cut_off == []

    # No mail says live of what did not answer, none failed of what is live; none is sent twice.
    told = [(news["document"]["deployment"], news["attributes"]["outcome"]) for news in world.mails if news["document"]["deployment"].startswith("push-") and news["document"]["outcome"] != "given up"]  # fmt: skip
    assert sorted(told) == sorted(
        (push, outcome) for push, outcome in outcomes.items() if outcome != "superseded"
    )

    # No revision is registered for a push that was overtaken before.
    assert len(world.revisions) <= len(made)
    assert all(one != other for one, other in itertools.combinations(world.started.values(), 2))
