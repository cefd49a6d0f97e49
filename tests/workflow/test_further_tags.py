"""Several tags of one image are one version: it is deployed once, and mailed once, whatever its outcome."""

import itertools
from datetime import datetime, timedelta

import pytest
from deployer.aws import ecr, ledger
from deployer.domain import same_image
from deployer.domain.deployment import SAME_IMAGE
from deployer.domain.errors import ContendedError, NoCapacityError, ThrottledError
from deployer.events import operate, reconcile

from tests.conftest import LambdaContext

TAGS = ["1", "1.2", "1.2.3", "latest", "sha-abc"]


@pytest.fixture
def tagged(push):
    """`tagged("v1", 1, after=3)` pushes the first image under that tag, three seconds after the first push."""
    numbers = itertools.count(1)

    def of(tag, image=1, *, after=0.0):
        document = push(image)
        at = datetime.fromisoformat("2026-11-20T09:15:00+00:00") + timedelta(seconds=int(after))
        document["time"] = at.isoformat(timespec="seconds").replace("+00:00", "Z")
        document["id"] = f"{tag.replace('.', '_')}-{image}-{next(numbers)}"
        document["detail"]["image-tag"] = tag
        return document

    return of


def outcomes():
    return {each.deployment.rpartition("-")[0]: each.outcome for each in known()}


def known():
    return ledger.deployments(app="flask-app")


def current():
    return ledger.current(app="flask-app")


def subjects(world):
    return [news["subject"].partition(":")[0] for news in world.mails]


def sweep():
    return reconcile.handler({"id": "sweep"}, LambdaContext())


def deploy_again(tag):
    return operate.handler({"action": "deploy", "app": "flask-app", "tag": tag}, LambdaContext())


@pytest.mark.parametrize("moment", ["claim", "claim answer", "put_image", "put_image answer", "manifest", "is_newest", "run_task", "probe", "make_current", "make_current answer", "publish", "mark_notified"])  # fmt: skip
def test_five_tags_of_one_push_are_one_deployment_and_one_mail(deploy, world, tagged, moment):
    """Their events come 0.3 s apart, while the first is handled."""
    first, *further = [tagged(tag, after=number * 0.3) for number, tag in enumerate(TAGS)]
    for each in further:
        world.tags["flask-app", each["detail"]["image-tag"]] = each["detail"]["image-digest"]
    world.faults[moment] = [lambda: [deploy(each) for each in further]]
    deploy(first)
    assert len(world.tasks) == len(world.revisions) == 1
    assert subjects(world) == ["flask-app is live"]
    assert sorted(outcomes().values()) == ["deployed"] + ["same image"] * 4
    assert current().digest == first["detail"]["image-digest"]
    assert sweep() == {}
    assert len(world.mails) == 1


def test_the_outcome_of_a_further_tag_says_whose_it_shares(deploy, world, tagged):
    deploy(tagged("latest"))
    noted = deploy(tagged("v1", after=1))
    assert (noted.status, noted.states[-1]) == ("SUCCEEDED", "SameImage")
    (further, first) = known()
    assert (further.outcome, further.same_as) == (SAME_IMAGE, first.deployment)
    event = world.events[-1]
    assert event["detail_type"] == "Image Tagged Again"
    assert event["detail"]["outcome"] == "same image"
    assert event["detail"]["same_as"] == first.deployment


def test_the_mail_names_the_further_tags_that_are_known_by_then(deploy, world, tagged):
    first, *further = [tagged(tag, after=number * 0.3) for number, tag in enumerate(TAGS)]
    world.faults["probe"] = [lambda: [deploy(each) for each in further]]
    deploy(first)
    assert "It was also pushed as 1.2, 1.2.3, latest and sha-abc." in world.mails[0]["text"]
    assert world.mails[0]["document"]["tag"] == "1"


def test_a_failure_is_that_of_all_its_tags_and_is_mailed_once(deploy, world, tagged):
    world.answers = None
    first, *further = [tagged(tag, after=number * 0.3) for number, tag in enumerate(TAGS)]
    world.faults["probe"] = [lambda: [deploy(each) for each in further[:3]]]
    deploy(first)
    # Its event comes when all is over already.
    deploy(further[3])
    assert subjects(world) == ["flask-app never answered"]
    assert "It was also pushed as 1.2, 1.2.3 and latest." in world.mails[0]["text"]
    assert sorted(outcomes().values()) == ["failed"] + ["same image"] * 4
    assert sweep() == {}
    assert len(world.mails) == len(world.tasks) == 1


def test_an_image_that_failed_before_is_deployed_when_it_is_tagged_again(deploy, world, tagged):
    world.answers = None
    deploy(tagged("latest"))
    world.answers = 200
    assert deploy(tagged("v1", after=same_image.BURST_SECONDS + 1)).states[-1] == "PublishUrl"
    assert current().tag == "v1"


def test_the_mail_of_a_newer_image_names_a_tag_that_an_older_one_got_while_it_was_deployed(
    deploy, world, tagged
):
    """Who pushed that tag would wait for a mail, and for its image, in vain."""
    deploy(tagged("1"))
    world.faults["probe"] = [lambda: deploy(tagged("stable", after=70))]
    deploy(tagged("2", 2, after=60))
    text = world.mails[-1]["text"]
    assert (
        "An image that was deployed before was pushed again under another tag. That starts no deployment:"
        in text
    )
    assert f"stable (sha256:{1:064x})" in text
    assert len(world.mails) == 2


def test_the_same_tag_of_the_same_image_is_deployed_again(deploy, world, tagged):
    deploy(tagged("latest"))
    assert deploy(tagged("latest", after=1)).states[-1] == "PublishUrl"
    assert len(world.tasks) == 2


def test_a_further_tag_that_was_elsewhere_meanwhile_is_deployed(deploy, world, tagged):
    deploy(tagged("latest", 1))
    deploy(tagged("v1", 1, after=1))
    deploy(tagged("v1", 2, after=2))
    assert deploy(tagged("v1", 1, after=3)).states[-1] == "PublishUrl"
    assert (current().tag, current().digest[-1]) == ("v1", "1")


def test_going_back_to_an_image_by_another_tag_is_a_push_like_any_other(deploy, world, tagged):
    deploy(tagged("latest", 1))
    deploy(tagged("latest", 2, after=100))
    assert deploy(tagged("back", 1, after=200)).states[-1] == "PublishUrl"
    assert current().digest[-1] == "1"


def test_tagging_what_is_live_stays_a_note_after_a_long_time_and_a_restart(deploy, world, tagged, stop):
    deploy(tagged("latest"))
    assert deploy(tagged("v1", after=100_000)).states[-1] == "SameImage"
    stop()
    assert deploy(tagged("v2", after=200_000)).states[-1] == "SameImage"
    assert subjects(world) == ["flask-app is live", "flask-app is live again"]


def test_tagging_what_is_down_deploys_it(deploy, world, tagged, stop):
    deploy(tagged("latest"))
    stop(code="UserInitiated", stopped_reason="by hand", exit_code=None)
    assert deploy(tagged("v1", after=100)).states[-1] == "PublishUrl"


def test_a_requested_image_is_deployed_though_it_is_live_under_another_tag(deploy, world, tagged):
    deploy(tagged("latest"))
    deploy(tagged("v1", after=1))
    assert deploy_again("v1")["status"] == "started"
    assert len(world.tasks) == 2
    assert current().tag == "v1"


def test_a_superseded_image_is_superseded_under_all_its_tags(deploy, world, tagged):
    """Two pipelines push three tags each, at the same time: the image that was pushed last stays."""
    old = [tagged(tag, 1, after=number) for number, tag in enumerate(["latest", "1", "sha-1"])]
    new = [tagged(tag, 2, after=number) for number, tag in enumerate(["edge", "2", "sha-2"])]
    order = [event for pair in zip(old, new, strict=True) for event in pair]
    for event in [*order[:2], *reversed(order[2:])]:
        deploy(event)
    assert current().digest[-1] == "2"
    assert len(world.tasks) == 2
    assert [news["document"]["tag"] for news in world.mails] == ["latest", "edge"]


def test_a_further_tag_waits_with_the_first_for_its_next_attempt(deploy, world, tagged):
    world.faults["run_task on FARGATE"] = [NoCapacityError("no room")] * 99
    deploy(tagged("latest"))
    world.faults.clear()
    assert deploy(tagged("v1", after=100)).states[-1] == "SameImage"
    sweep()
    assert subjects(world) == ["flask-app is live"]
    assert "It was also pushed as v1." in world.mails[0]["text"]
    assert sweep() == {}


@pytest.mark.parametrize("moment", ["put_image", "put_image answer", "note_in_order", "probe", "make_current answer"])  # fmt: skip
def test_an_aborted_first_is_deployed_once_more_for_all_its_tags(deploy, world, tagged, moment):
    further = tagged("v1", after=1)
    world.faults[moment] = [lambda: (world.abort(), deploy(further))]
    deploy(tagged("latest"))
    sweep()
    sweep()
    assert current().digest == further["detail"]["image-digest"]
    assert subjects(world) == ["flask-app is live"]
    assert sweep() == {}


@pytest.mark.parametrize("moment", ["claim answer", "next_in_order answer", "put_image", "put_image answer", "record"])  # fmt: skip
def test_a_further_tag_whose_execution_is_aborted_deploys_nothing(deploy, world, tagged, moment):
    deploy(tagged("latest"))
    world.faults[moment] = [world.abort]
    deploy(tagged("v1", after=1))
    for _ in range(3):
        sweep()
    assert len(world.tasks) == len(world.mails) == 1
    assert set(outcomes().values()) <= {"deployed", "same image", "retried"}
    assert sweep() == {}


def test_each_event_may_come_twice_and_each_step_run_twice(deploy, world, tagged):
    world.each_step_twice = True
    events = [tagged(tag, after=number * 0.3) for number, tag in enumerate(TAGS)]
    for event in [*events, *events]:
        deploy(event)
    assert len(world.started) == len(world.mails) == 1
    assert sorted(outcomes().values()) == ["deployed"] + ["same image"] * 4


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))))
def test_the_events_may_come_in_any_order(deploy, world, tagged, arrival):
    events = [tagged(tag, after=number) for number, tag in enumerate(["latest", "1", "1.2"])]
    for number in arrival:
        deploy(events[number])
    assert len(world.tasks) == len(world.mails) == 1
    assert sorted(outcomes().values()) == ["deployed", "same image", "same image"]


def test_two_that_are_admitted_at_the_same_moment_are_one_deployment(deploy, world, tagged):
    world.faults["put_image"] = [lambda: deploy(tagged("v1")), ThrottledError("Rate exceeded")]
    deploy(tagged("latest"))
    assert len(world.tasks) == len(world.mails) == 1
    assert current().tag == "v1"


def test_a_lost_event_of_a_further_tag_deploys_nothing(deploy, world, tagged, monkeypatch):
    deploy(tagged("latest"))
    sweep()
    further = tagged("v1")["detail"]
    world.tags["flask-app", "v1"] = further["image-digest"]
    late = int(datetime.now().timestamp()) - 1000
    monkeypatch.setattr(ecr, "tagged_images", lambda *, repository: [ecr.Image(further["image-digest"], ("v1",), late)])  # fmt: skip
    sweep()
    sweep()
    assert len(world.tasks) == len(world.mails) == 1


def test_a_busy_image_is_noted_in_the_end(deploy, world, tagged):
    deploy(tagged("latest"))
    world.faults["put_image"] = [ContendedError("Another push of the image was noted.")]
    assert deploy(tagged("v1", after=1)).states[-1] == "SameImage"


def test_an_image_with_very_many_tags_is_still_noted(deploy, world, tagged):
    deploy(tagged("latest"))
    for number in range(same_image.MAX_TAGS + 5):
        assert deploy(tagged(f"run-{number}", after=number)).states[-1] == "SameImage"
    assert len(world.tasks) == 1
