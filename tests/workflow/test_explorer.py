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
            "a crash after a change of Environments",
            Setting(True, True, True),
            (
                Disturbance("dynamodb.get_item current #11", "its execution is aborted"),
                Disturbance("dynamodb.update_item order", "its caller loses it, and it continues later"),
            ),
        ),
        Schedule(
            "a rollback while a push is on its way",
            Setting(stale=True),
            (
                Disturbance("ecs.stop_task #2", "a resume"),
                Disturbance("dynamodb.update_item state #8", "a crash of the newest task", "beside"),
            ),
        ),
        Schedule(
            "a stop while a push is on its way",
            Setting(stable_url=True),
            (
                Disturbance("dynamodb.update_item push", "a deletion of the tag"),
                Disturbance("start AdmitPush #2", "a push of another tag"),
            ),
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
        Schedule(
            "a push after MaxApps was lowered",
            Setting(stable_url=True),
            (Disturbance("apigatewayv2.get_apis", "a crash", "astride", far=8),),
        ),
        Schedule(
            "a start",
            Setting(stable_url=True),
            (Disturbance("dynamodb.get_item deployment", "a push of another tag"),),
        ),
        Schedule(
            "a push where all slots are taken",
            Setting(by_tag=True, stable_url=True, stale=True),
            (Disturbance("dynamodb.update_item tag", "a push of another tag", "astride", far=59),),
        ),
        Schedule(
            "a start",
            Setting(stable_url=True),
            (Disturbance("start Operate", "a push of another tag", "astride", far=16),),
        ),
        Schedule(
            "a restart that is asked for",
            Setting(by_tag=True),
            (Disturbance("end CheckHealth", "a stop by hand", "beside"),),
        ),
        Schedule(
            "a restart that is asked for",
            Setting(stable_url=True),
            (Disturbance("ecs.describe_tasks", "a stop by hand", "beside"),),
        ),
        Schedule(
            "a push after a change of Environments",
            Setting(stable_url=True),
            (
                Disturbance("end RegisterTaskDefinition", "its execution is aborted"),
                Disturbance("dynamodb.get_item image #2", "its execution is aborted"),
            ),
        ),
        Schedule(
            "a restart that is asked for",
            Setting(by_tag=True, stable_url=True, stale=True),
            (
                Disturbance("end AdmitPush", "a stop by hand"),
                Disturbance("start CheckHealth", "its execution is aborted"),
            ),
        ),
        Schedule(
            "a push and its signature",
            Setting(stale=True),
            (
                Disturbance("dynamodb.update_item order #2", "a bad push", "beside"),
                Disturbance("dynamodb.update_item push #2", "its execution is aborted"),
            ),
        ),
        Schedule(
            "a crash after a change of Environments",
            Setting(by_tag=True),
            (
                Disturbance("stepfunctions.send_task_failure", "a push", "beside"),
                Disturbance("ecr.get_download_url_for_layer", "a change of Environments"),
            ),
        ),
        Schedule(
            "a crash of what is not watched any more",
            Setting(stable_url=True),
            (
                Disturbance("apigatewayv2.update_api #2", "a change of RepositoryPattern"),
                Disturbance("dynamodb.get_item current", "a bad push", "beside"),
            ),
        ),
        Schedule(
            "a push and its signature",
            Setting(by_tag=True, stable_url=True, stale=True),
            (
                Disturbance("dynamodb.update_item order", "its answer is lost"),
                Disturbance("dynamodb.update_item push", "its execution is aborted"),
            ),
        ),
        Schedule(
            "a third crash",
            Setting(stale=True),
            (
                Disturbance("dynamodb.update_item of the hour", "a sweep"),
                Disturbance("dynamodb.update_item first #3", "a stop that is asked for", "beside"),
            ),
        ),
        Schedule(
            "a crash after a change of Environments",
            Setting(by_tag=True, stable_url=True, stale=True),
            (
                Disturbance("start WaitForRunning", "a push of another repository", "beside"),
                Disturbance("dynamodb.update_item under way #2", "a change of Environments", "beside"),
            ),
        ),
        Schedule(
            "a crash of what is not watched any more",
            Setting(by_tag=True, stable_url=True, stale=True),
            (
                Disturbance("stepfunctions.send_task_failure", "a push that crashes", "astride", far=29),
                Disturbance("dynamodb.get_item current #5", "a change of RepositoryPattern", "beside"),
            ),
        ),
        Schedule(
            "a push of a stopped app",
            Setting(stale=True),
            (
                Disturbance("dynamodb.update_item order", "a start", "astride", far=12),
                Disturbance("ssm.describe_parameters", "its execution is aborted"),
            ),
        ),
        Schedule(
            "a resume",
            Setting(stale=True),
            (
                Disturbance("start RecordTaskState #2", "a change of StableUrl"),
                Disturbance("start SwitchOver", "a push that crashes"),
            ),
        ),
        Schedule(
            "a start",
            Setting(stable_url=True),
            (Disturbance("ecr.describe_images", "a start", "astride", far=8),),
        ),
        Schedule(
            "the version that was rolled back, once more",
            Setting(stable_url=True),
            (
                Disturbance("dynamodb.update_item image", "a change of Environments", "beside"),
                Disturbance("dynamodb.update_item order #2", "a push"),
            ),
        ),
        Schedule(
            "a push after a deletion",
            Setting(by_tag=True, stable_url=True, stale=True),
            (
                Disturbance("dynamodb.update_item order #4", "a rollback", "beside"),
                Disturbance("dynamodb.update_item sent #2", "a crash of the newest task"),
            ),
        ),
        Schedule(
            "a sweep after it is watched again",
            Setting(stale=True),
            (
                Disturbance("ecs.describe_tasks", "a stop that is asked for", "beside"),
                Disturbance("dynamodb.update_item state", "a start"),
            ),
        ),
        Schedule(
            "a sweep after it is watched again",
            Setting(by_tag=True, stable_url=True, stale=True),
            (
                Disturbance("dynamodb.get_item order", "a start"),
                Disturbance("dynamodb.get_item slots", "a stop by hand", "beside"),
            ),
        ),
    ],
    ids=str,
)
def test_a_schedule_that_broke_a_promise_once_breaks_none_any_more(schedule):
    assert explore.play(schedule).broken == []


@pytest.mark.parametrize("fault", [explore.TIMES_OUT, explore.DIES_AFTER])
@pytest.mark.parametrize("scenario", ["a first push", "a first push that is bad", "a bad push"])
def test_a_function_that_ends_between_a_mail_and_its_record_sends_the_same_mail_again(scenario, fault):
    """SNS has no token against that. It breaks this promise and no other."""
    (broken,) = explore.play(Schedule(scenario, Setting(), (Disturbance("sns.publish", fault),))).broken
    outcome = "deployed" if scenario == "a first push" else "failed"
    assert broken.startswith("each_outcome_is_mailed_once_and_as_it_is: ")
    assert broken.endswith(f"is {outcome}, its mails say ['{outcome}', '{outcome}']")


@pytest.mark.parametrize(
    ("call", "fault"), [("sns.publish", explore.DIES_AFTER), ("dynamodb.put_item #2", explore.DIES_BEFORE)]
)
def test_that_an_app_is_given_up_is_mailed_again_if_the_function_ends_before_its_record(call, fault):
    """The same of the other mail. The search does not count it, even where it is the second disturbance."""
    disturbance = Disturbance(call, fault)
    played = explore.play(Schedule("a third crash", Setting(by_tag=True), (disturbance,)))
    (broken,) = played.broken
    assert broken.startswith("that_an_app_is_given_up_is_mailed_once: ")
    assert broken.endswith("was mailed 2 times")
    assert not explore.can_be_helped(
        disturbance, explore.undisturbed("a third crash", Setting(by_tag=True)).calls
    )
