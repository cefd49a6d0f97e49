"""Previews have their own URL, a lifetime, and an end."""

import time

import pytest
from deployer.aws import ledger
from deployer.domain.endpoint import NOWHERE
from deployer.events import end_preview, reconcile
from deployer.settings import settings

from tests.conftest import LambdaContext, apps_with_slots


@pytest.fixture(autouse=True)
def by_tag(monkeypatch):
    monkeypatch.setenv("ENVIRONMENTS", "tag")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def tagged(push):
    """`tagged("pr-7", 1)` is the first push of that tag."""

    def of(tag, number=1):
        document = push(number)
        document["id"] = f"{tag}-{number}"
        document["detail"]["image-tag"] = tag
        return document

    return of


def current(tag):
    return ledger.current(app=f"flask-app:{tag}")


def sweep():
    return reconcile.handler({"id": "sweep"}, LambdaContext())


def delete(world, tag):
    del world.tags["flask-app", tag]
    detail = {"action-type": "DELETE", "repository-name": "flask-app", "image-tag": tag}
    end_preview.handler({"id": "deleted", "detail": detail}, LambdaContext())


def pass_time(monkeypatch, hours):
    later = time.time() + hours * 3600
    monkeypatch.setattr(reconcile.time, "time", lambda: later)


def test_each_tag_has_an_app_of_its_own(deploy, world, tagged):
    deploy(tagged("pr-7"))
    deploy(tagged("pr-8", 2))
    assert current("pr-7").url != current("pr-8").url
    assert world.live() == {current("pr-7").task, current("pr-8").task}
    assert world.mails[0]["subject"] == f"flask-app:pr-7 is live: {current('pr-7').url}"
    assert {request["family"] for request in world.revisions} == {"portcall_flask-app_tpr-7", "portcall_flask-app_tpr-8"}  # fmt: skip


def test_a_new_push_of_a_tag_takes_the_place_of_the_one_before(deploy, world, tagged):
    deploy(tagged("pr-7"))
    deploy(tagged("pr-8", 2))
    deploy(tagged("pr-7", 3))
    assert len(world.live()) == 2
    assert current("pr-7").deployment == "pr-7-3"


def test_the_mail_says_when_it_ends(deploy, world, tagged):
    deploy(tagged("pr-7"))
    assert "It is a preview: it ends at 20" in world.mails[0]["text"]
    assert "or when its tag is deleted" in world.mails[0]["text"]
    assert abs(current("pr-7").until - time.time() - 24 * 3600) < 60


def test_the_image_may_ask_for_another_time(deploy, world, tagged):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.expires": "2h"}}
    deploy(tagged("pr-7"))
    assert abs(current("pr-7").until - time.time() - 2 * 3600) < 60
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.expires": "never"}}
    deploy(tagged("pr-7", 2))
    # No more than MaxPreviewHours, and its mail says so.
    assert abs(current("pr-7").until - time.time() - 168 * 3600) < 60
    assert "Its label portcall.expires is longer than this install allows for a preview (MaxPreviewHours)" in world.mails[1]["text"]  # fmt: skip
    assert "MaxPreviewHours" not in world.mails[0]["text"]


def test_a_lasting_tag_is_not_a_preview(deploy, world, tagged, monkeypatch):
    deploy(tagged("latest"))
    assert current("latest").until == 0
    assert "preview" not in world.mails[0]["text"]
    pass_time(monkeypatch, 1000)
    sweep()
    delete(world, "latest")
    assert current("latest")
    assert world.live() == {current("latest").task}


def test_a_preview_ends_when_its_time_is_up_with_a_mail(deploy, world, tagged, monkeypatch):
    deploy(tagged("pr-7"))
    url = current("pr-7").url
    assert sweep() == {}
    pass_time(monkeypatch, 25)
    assert sweep() == {"flask-app:pr-7": ["ended the app"]}
    assert world.live() == set()
    assert current("pr-7") is None
    news = world.mails[-1]
    assert news["subject"].startswith("flask-app:pr-7 has ended: it expired at ")
    assert url in news["text"]
    assert news["attributes"] == {"app": "flask-app:pr-7", "outcome": "ended"}
    # Its tag is still there, so that a push of it would start nothing.
    assert '--payload \'{"action":"deploy","app":"flask-app:pr-7","tag":"pr-7"}\'' in news["text"]
    assert "Push the tag again" not in news["text"]
    assert sweep() == {}
    assert len(world.mails) == 2


def test_a_push_gives_it_its_whole_time_again(deploy, world, tagged, monkeypatch):
    deploy(tagged("pr-7"))
    pass_time(monkeypatch, 20)
    deploy(tagged("pr-7", 2))
    pass_time(monkeypatch, 10)
    assert sweep() == {}
    assert len(world.live()) == 1


def test_a_preview_ends_with_its_tag(deploy, world, tagged):
    deploy(tagged("pr-7"))
    delete(world, "pr-7")
    assert world.live() == set()
    assert world.mails[-1]["subject"] == "flask-app:pr-7 has ended: its tag was deleted"
    assert "Push the tag again to start it again." in world.mails[-1]["text"]
    delete_again = {"id": "again", "detail": {"repository-name": "flask-app", "image-tag": "pr-7"}}
    end_preview.handler(delete_again, LambdaContext())
    assert len(world.mails) == 2


def test_a_tag_that_is_there_again_keeps_its_app(deploy, world, tagged):
    deploy(tagged("pr-7"))
    late = {"id": "late", "detail": {"repository-name": "flask-app", "image-tag": "pr-7"}}
    end_preview.handler(late, LambdaContext())
    assert world.live() == {current("pr-7").task}


def test_the_sweep_sees_a_deletion_whose_event_was_lost(deploy, world, tagged):
    deploy(tagged("pr-7"))
    del world.tags["flask-app", "pr-7"]
    assert sweep() == {"flask-app:pr-7": ["ended the app"]}
    assert world.live() == set()


def test_an_end_that_stopped_half_way_is_brought_to_its_end(deploy, world, tagged):
    deploy(tagged("pr-7"))
    world.faults["stop_task"] = [RuntimeError("the function died")]
    with pytest.raises(RuntimeError):
        delete(world, "pr-7")
    sweep()
    assert world.live() == set()
    assert [news["attributes"]["outcome"] for news in world.mails] == ["deployed", "ended"]
    assert current("pr-7") is None


def test_no_more_previews_than_are_allowed(deploy, world, tagged):
    for number in range(1, 4):
        deploy(tagged(f"pr-{number}", number))
    refused = deploy(tagged("pr-4", 4))
    assert refused.status == "FAILED"
    news = world.mails[-1]
    assert news["subject"] == "flask-app:pr-4 was refused: too many previews"
    assert "The limit on previews is reached (MaxPreviews: 3)." in news["text"]
    assert "flask-app:pr-1, flask-app:pr-2, flask-app:pr-3" in news["text"]
    assert len(world.live()) == 3
    # Those that run may be pushed again, and what lasts is no preview.
    assert deploy(tagged("pr-2", 5)).states[-1] == "PublishUrl"
    assert deploy(tagged("latest", 6)).states[-1] == "PublishUrl"


def test_an_ended_preview_makes_room(deploy, world, tagged):
    for number in range(1, 4):
        deploy(tagged(f"pr-{number}", number))
    delete(world, "pr-2")
    assert deploy(tagged("pr-4", 4)).states[-1] == "PublishUrl"


def test_a_preview_that_never_started_takes_no_room(deploy, world, tagged):
    world.answers = None
    for number in range(1, 5):
        deploy(tagged(f"pr-{number}", number))
    assert apps_with_slots() == set()
    world.answers = 200
    assert deploy(tagged("pr-5", 5)).states[-1] == "PublishUrl"


def test_the_sweep_frees_a_slot_that_nobody_uses(deploy, world, tagged):
    ledger.take_slot(app="flask-app:pr-9", most={"apps": 3})
    assert sweep() == {"flask-app:pr-9": ["freed its slot"]}
    assert apps_with_slots() == set()


def test_a_preview_that_dies_is_started_again_and_keeps_its_time(deploy, world, tagged, stop):
    deploy(tagged("pr-7"))
    before = current("pr-7")
    stop(app="flask-app:pr-7")
    assert current("pr-7").task != before.task
    assert current("pr-7").until == before.until
    assert "is live again" in world.mails[-1]["subject"]


def test_the_sweep_deploys_the_tag_whose_event_was_lost(deploy, world, tagged, monkeypatch):
    deploy(tagged("pr-7"))
    sweep()
    lost = tagged("pr-8", 2)
    digest = lost["detail"]["image-digest"]
    world.tags["flask-app", "pr-8"] = digest
    world.pushed_at[digest] = int(time.time()) + 1
    pass_time(monkeypatch, 1)
    assert sweep() == {"flask-app:pr-8": ["deployed pr-8, whose event was lost"]}
    assert len(world.live()) == 2


def test_the_end_of_an_app_that_is_not_a_preview_is_what_its_image_asks(deploy, world, push, monkeypatch):
    monkeypatch.setenv("ENVIRONMENTS", "repository")
    settings.cache_clear()
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.expires": "1h"}}
    deploy(push(1))
    assert "It ends at 20" in world.mails[0]["text"]
    pass_time(monkeypatch, 2)
    assert sweep() == {"flask-app": ["ended the app"]}
    assert world.live() == set()


def test_the_stable_url_of_an_ended_preview_points_nowhere_and_the_sweep_closes_it(
    deploy, world, tagged, stable_url
):
    deploy(tagged("pr-7"))
    delete(world, "pr-7")
    assert [api["target"] for api in world.apis.values()] == [NOWHERE]
    assert world.cut_off == []
    assert sweep() == {"flask-app:pr-7": ["deleted stable URL api-1"]}
    assert sweep() == {}


def test_a_preview_that_is_pushed_again_before_that_has_its_url_back(deploy, world, tagged, stable_url):
    deploy(tagged("pr-7"))
    url = current("pr-7").url
    delete(world, "pr-7")
    deploy(tagged("pr-7", 2))
    assert current("pr-7").url == url
    assert world.mails[-1]["text"].splitlines()[0] == url
    assert sweep() == {}


PARAMETERS = "arn:aws:ssm:eu-west-1:111122223333:parameter"
PRODUCTION, PREVIEWS = f"{PARAMETERS}/portcall/flask-app", f"{PARAMETERS}/portcall-previews/flask-app"
KEPT = {
    f"{PRODUCTION}/DATABASE_URL",
    f"{PRODUCTION}/API_KEY",
    f"{PREVIEWS}/DATABASE_URL",
    f"{PARAMETERS}/portcall-previews/another-app/OTHERS",
}


def secrets_of(world):
    (container,) = world.revisions[-1]["containerDefinitions"]
    return [each["valueFrom"] for each in container["secrets"]]


def test_a_preview_gets_secrets_of_its_own_and_none_of_production(deploy, world, tagged):
    world.parameters = KEPT
    deploy(tagged("pr-7"))
    assert secrets_of(world) == [f"{PREVIEWS}/DATABASE_URL"]


@pytest.mark.parametrize("tag", ["pr-7", "latest2", "LATEST", "production"])
def test_a_preview_gets_no_secret_of_production_where_it_has_none_of_its_own(deploy, world, tagged, tag):
    world.parameters = {f"{PRODUCTION}/DATABASE_URL"}
    deploy(tagged(tag))
    assert secrets_of(world) == []


def test_previews_get_the_secrets_of_production_where_the_install_says_so(deploy, world, tagged, monkeypatch):
    monkeypatch.setenv("PREVIEW_SECRETS", "production")
    world.parameters = KEPT
    deploy(tagged("pr-7"))
    # Sorted by name; its own DATABASE_URL comes before that of production.
    assert secrets_of(world) == [f"{PRODUCTION}/API_KEY", f"{PREVIEWS}/DATABASE_URL"]


@pytest.mark.parametrize("previews", ["own", "production"])
def test_a_lasting_tag_gets_the_secrets_of_production_alone(deploy, world, tagged, monkeypatch, previews):
    monkeypatch.setenv("PREVIEW_SECRETS", previews)
    world.parameters = KEPT
    deploy(tagged("latest"))
    assert secrets_of(world) == [f"{PRODUCTION}/API_KEY", f"{PRODUCTION}/DATABASE_URL"]


def test_if_the_repository_is_the_app_a_pr_tag_gets_production_secrets(deploy, world, tagged, monkeypatch):
    monkeypatch.setenv("ENVIRONMENTS", "repository")
    settings.cache_clear()
    world.parameters = KEPT
    deploy(tagged("pr-7"))
    assert secrets_of(world) == [f"{PRODUCTION}/API_KEY", f"{PRODUCTION}/DATABASE_URL"]


# A preview's end: by several at once, by nobody to its end, and while its tag is pushed again.

ENDING = ["current", "current answer", "digest_of answer", "change_current", "change_current answer", "stop_task", "end_current", "end_current answer", "record answer", "publish", "mark_notified"]  # fmt: skip


def ends(world):
    return [news["attributes"]["outcome"] for news in world.mails].count("ended")


def deliver():
    detail = {"action-type": "DELETE", "repository-name": "flask-app", "image-tag": "pr-7"}
    end_preview.handler({"id": "deleted", "detail": detail}, LambdaContext())


@pytest.mark.parametrize("moment", ENDING)
def test_a_deletion_that_is_delivered_twice_at_once_is_mailed_once(deploy, world, tagged, monkeypatch, moment):
    deploy(tagged("pr-7"))
    del world.tags["flask-app", "pr-7"]
    world.faults[moment] = [deliver]
    deliver()
    pass_time(monkeypatch, 1)
    sweep()
    assert ends(world) == 1
    assert (current("pr-7"), world.live(), apps_with_slots()) == (None, set(), set())
    assert sweep() == {}


@pytest.mark.parametrize("moment", ENDING)
def test_a_sweep_while_a_preview_is_ended_does_no_harm(deploy, world, tagged, monkeypatch, moment):
    deploy(tagged("pr-7"))
    del world.tags["flask-app", "pr-7"]
    world.faults[moment] = [sweep]
    deliver()
    pass_time(monkeypatch, 1)
    sweep()
    assert ends(world) == 1
    assert (current("pr-7"), world.live(), apps_with_slots()) == (None, set(), set())
    assert sweep() == {}


class Killed(BaseException):
    """The function's time is up."""


@pytest.mark.parametrize("moment", ENDING)
def test_an_end_of_which_the_function_dies_is_reported_once_by_the_sweep(
    deploy, world, tagged, monkeypatch, moment
):
    deploy(tagged("pr-7"))
    del world.tags["flask-app", "pr-7"]
    world.faults[moment] = [Killed()]
    with pytest.raises(Killed):
        deliver()
    sweep()
    pass_time(monkeypatch, 1)
    sweep()
    # A mail is sent twice only where the function died after it, and before that was noted.
    assert ends(world) == (2 if moment in ("publish answer", "mark_notified") else 1)
    assert (current("pr-7"), world.live(), apps_with_slots()) == (None, set(), set())
    assert sweep() == {}


@pytest.mark.parametrize(("number", "stays"), [(1, "off"), (2, "on")])
@pytest.mark.parametrize("moment", ENDING)
def test_a_tag_that_is_pushed_again_while_its_deletion_is_handled_is_live(
    deploy, world, tagged, monkeypatch, moment, number, stays
):
    """Also with the same image."""
    monkeypatch.setenv("STABLE_URL", stays)
    settings.cache_clear()
    deploy(tagged("pr-7"))
    del world.tags["flask-app", "pr-7"]
    again = tagged("pr-7", number)
    again["id"], again["time"] = "again", "2026-11-20T09:16:00Z"
    states = []
    world.faults[moment] = [lambda: states.extend(deploy(again).states)]
    deliver()
    world.faults.clear()
    if not states:
        deploy(again)
    for _ in range(3):
        sweep()
    pass_time(monkeypatch, 1)
    sweep()
    assert current("pr-7").deployment == "again"
    assert world.live() == {current("pr-7").task}
    assert apps_with_slots() == {"flask-app:pr-7"}
    outcomes = [news["attributes"]["outcome"] for news in world.mails]
    # Nobody reads after *is live* that its URL no longer answers; but a mail that is being sent is sent.
    assert outcomes.count("deployed") == 2
    assert outcomes[-1] == "deployed" or moment == "publish"
    assert world.cut_off == []


def test_a_tag_that_is_declared_lasting_does_not_expire_any_more(deploy, world, tagged, monkeypatch):
    deploy(tagged("pr-7"))
    monkeypatch.setenv("LASTING_TAGS", "latest,pr-7")
    settings.cache_clear()
    pass_time(monkeypatch, 25)
    assert sweep() == {}
    del world.tags["flask-app", "pr-7"]
    deliver()
    assert sweep() == {}
    assert world.live() == {current("pr-7").task}


def test_a_tag_that_is_declared_lasting_ends_when_its_image_asks(deploy, world, tagged, monkeypatch):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.expires": "2h"}}
    deploy(tagged("pr-7"))
    monkeypatch.setenv("LASTING_TAGS", "latest,pr-7")
    settings.cache_clear()
    pass_time(monkeypatch, 3)
    assert sweep() == {"flask-app:pr-7": ["ended the app"]}


@pytest.mark.parametrize("moment", ["AdmitPush", "probe"])
def test_a_preview_whose_tag_is_deleted_before_it_is_live_is_reported_by_the_sweep(
    deploy, world, tagged, monkeypatch, moment
):
    """Whichever step finds out."""
    world.faults[moment] = [lambda: delete(world, "pr-7")]
    assert deploy(tagged("pr-7")).states[-1] == "Superseded"
    pass_time(monkeypatch, 1)
    sweep()
    assert [mail["subject"] for mail in world.mails] == ["flask-app:pr-7 was not deployed: its tag was deleted"]
    text = world.mails[0]["text"]
    assert "Its tag was deleted before it was live." in text
    assert "No other version is running." in text
    assert "Push the tag again to deploy it." in text
    assert "lambda invoke" not in text
    assert sweep() == {}
