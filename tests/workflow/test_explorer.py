"""Whatever happens at whatever call, each promise holds: thousands of schedules, the same in each run.

`python -m bench.explore` looks further. What it prints is a schedule to paste below.
"""

import random

import pytest

from tests.explorer import explore
from tests.explorer.explore import Disturbance, Schedule
from tests.explorer.game import Setting, stage

# Of each scenario in each setting, so many schedules are played here.
FAULTS_AND_ACTS, ASTRIDE = 50, 15

# Promises that do not hold yet, in a scenario or where something happens. To shrink to nothing.
KNOWN = {
    ("nothing_is_called_live_that_has_stopped", ""): "PublishUrl does not look at what is current",
    ("the_newest_good_push_is_current", "a deletion of the tag"): "EndPreview ends what was pushed meanwhile",
    ("nothing_that_has_ended_comes_back", ""): "a push under way outlives the tag, a mail what it tells of",
    (
        "each_outcome_is_mailed_once_and_as_it_is",
        "a deletion of the tag",
    ): "EndPreview and a sweep both mail it",
    ("an_app_is_given_up_after_three_crashes_of_its_own", ""): "one crash counts twice",
}


@pytest.fixture(scope="module", autouse=True)
def _stage():
    with stage():
        yield


def unknown(played):
    """What broke and is not known to break."""
    plays = {played.schedule.scenario, *(each.what for each in played.schedule.disturbances)}
    known = {promise for promise, what in KNOWN if not what or what in plays}
    return [each for each in played.broken if each.partition(":")[0] not in known]


@pytest.mark.parametrize(
    ("scenario", "setting"), list(explore.scenarios()), ids=lambda each: getattr(each, "name", each)
)
def test_whatever_happens_at_a_call_each_promise_holds(scenario, setting):
    undisturbed = explore.undisturbed(scenario, setting)
    assert undisturbed.broken == []
    dice = random.Random(f"{scenario} {setting.name}")
    schedules = list(explore.one_disturbance(scenario, setting, undisturbed.calls))
    chosen = dice.sample(schedules, min(FAULTS_AND_ACTS, len(schedules)))
    chosen += [explore.astride(scenario, setting, undisturbed.calls, dice) for _ in range(ASTRIDE)]
    broke = [played.story() for each in chosen if unknown(played := explore.play(each))]
    assert not broke, "\n".join(["", *broke])


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(
            "a first push that is bad", Setting(by_tag=True), (Disturbance("logs.get_log_events", "a push"),)
        ),
        Schedule(
            "a first push that is bad",
            Setting(),
            (Disturbance("logs.get_log_events", "a push of another tag"),),
        ),
        Schedule(
            "a sweep after a lost deletion",
            Setting(by_tag=True),
            (Disturbance("dynamodb.get_item order #2", "a push"),),
        ),
    ],
    ids=str,
)
def test_what_broke_a_promise_once_breaks_none_any_more(schedule):
    assert explore.play(schedule).broken == []
