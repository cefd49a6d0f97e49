"""Each promise holds, whatever happens at any call: thousands of schedules, the same in each run.

`python -m bench.explore` looks further. What it prints is a schedule to paste below.
"""

import random

import pytest

from tests.conftest import QUICK
from tests.explorer import explore
from tests.explorer.explore import Disturbance, Schedule
from tests.explorer.game import Setting, stage

# Of each scenario in each setting, so many schedules are played here. `make unit` plays each tenth of them.
FAULTS_AND_ACTS, ASTRIDE = 30, 8
EACH = 10 if QUICK else 1

# Promises that do not hold yet, in a scenario or where something happens. To shrink to nothing.
KNOWN: dict[tuple[str, str], str] = {}


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
    disturbances = list(explore.each_disturbance(undisturbed.calls))
    some = dice.sample(disturbances, min(FAULTS_AND_ACTS, len(disturbances)))
    chosen = [Schedule(scenario, setting, (Disturbance(*each),)) for each in some]
    chosen += [explore.astride(scenario, setting, undisturbed.calls, dice) for _ in range(ASTRIDE)]
    broke = [played.story() for each in chosen[::EACH] if unknown(played := explore.play(each))]
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
        Schedule(
            "a deletion of the tag",
            Setting(by_tag=True),
            (Disturbance("dynamodb.get_item tag", "a push", "astride", far=21),),
        ),
        Schedule(
            "a third crash",
            Setting(),
            (
                Disturbance("sns.publish", "its function dies before"),
                Disturbance("logs.get_log_events #2", "a sweep"),
            ),
        ),
        Schedule(
            "a bad push",
            Setting(stale=True),
            (Disturbance("dynamodb.update_item order #3", "its caller loses it, and it continues later"),),
        ),
        Schedule(
            "a push after a change of Environments",
            Setting(stable_url=True),
            (Disturbance("end ReadImage", "a change of MaxApps and MaxPreviews"),),
        ),
        Schedule(
            "a sweep after a change of Environments",
            Setting(stable_url=True),
            (Disturbance("dynamodb.update_item of the hour", "a crash"),),
        ),
        Schedule(
            "a push and its signature",
            Setting(),
            (Disturbance("start RunTask", "its execution is aborted"),),
        ),
        Schedule(
            "a first push",
            Setting(by_tag=True),
            (Disturbance("end CheckHealth", "a deletion of the tag"),),
        ),
        Schedule(
            "a resume",
            Setting(stable_url=True),
            (Disturbance("ecr.describe_images", "a push of another tag"),),
        ),
        Schedule(
            "a resume",
            Setting(stable_url=True),
            (Disturbance("dynamodb.get_item current", "a push of another tag", "beside"),),
        ),
    ],
    ids=str,
)
def test_what_broke_a_promise_once_breaks_none_any_more(schedule):
    assert explore.play(schedule).broken == []


@pytest.mark.parametrize("fault", [explore.TIMES_OUT, explore.DIES_AFTER])
@pytest.mark.parametrize("scenario", ["a first push", "a first push that is bad", "a bad push"])
def test_a_function_that_ends_between_a_mail_and_its_record_sends_the_same_mail_again(scenario, fault):
    """SNS has no token against that. It breaks this promise and no other."""
    (broken,) = explore.play(Schedule(scenario, Setting(), (Disturbance("sns.publish", fault),))).broken
    outcome = "deployed" if scenario == "a first push" else "failed"
    assert broken.startswith("each_outcome_is_mailed_once_and_as_it_is: ")
    assert broken.endswith(f"is {outcome}, its mails say ['{outcome}', '{outcome}']")
