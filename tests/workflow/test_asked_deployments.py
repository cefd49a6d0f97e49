"""Rollback, resume and restart go through the workflow; pushes while an app is pinned."""

import dataclasses
import time
from datetime import UTC, datetime

import pytest
from deployer.aws import ledger
from deployer.domain.errors import ThrottledError
from deployer.domain.push import Push
from deployer.events import operate, reconcile

from tests.conftest import LambdaContext

ANN = "arn:aws:iam::111122223333:user/ann"


def ask(action, **event):
    return operate.handler({"action": action, "app": "flask-app", "by": ANN, **event}, LambdaContext())


def current(app="flask-app"):
    return ledger.current(app=app)


def outcomes():
    found = reversed(ledger.deployments(app="flask-app"))
    return [(each.digest[-1], each.outcome) for each in found]


def digest(number):
    return f"sha256:{number:064x}"


def sweep():
    return reconcile.handler({"id": "sweep"}, LambdaContext())


def now():
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@pytest.fixture
def pushed_now(push):
    """`pushed_now(n)` is the n-th image, pushed this moment; `again` gives the event an id of its own."""

    def nth(number, again="", tag="latest"):
        document = push(number)
        document["time"] = now()
        document["id"] += again
        document["detail"]["image-tag"] = tag
        return document

    return nth


@pytest.fixture
def two_versions(deploy, push):
    deploy(push(1))
    deploy(push(2))


def test_a_rollback_runs_the_previous_version_as_a_new_task_and_pins_it(two_versions, world):
    before = current()
    answer = ask("rollback", reason="500s on /pay")
    assert (answer["status"], answer["digest"], answer["from"]) == ("started", digest(1), digest(2))
    assert current().digest == digest(1)
    assert world.live() == {current().task} != {before.task}
    pin = current().pin
    assert (pin.digest, pin.bad, pin.reason, pin.by) == (digest(1), [digest(2)], "500s on /pay", ANN)
    assert sweep() == {}


def test_the_mail_of_a_rollback_says_who_asked_and_why_and_how_to_continue(two_versions, world):
    ask("rollback", reason="500s on /pay")
    text = world.mails[-1]["text"]
    assert f"It was rolled back from {digest(2)}. To deploy the newest push again: aws lambda invoke" in text
    assert '"action":"resume","app":"flask-app"' in text
    assert f"Pinned to {digest(1)} by a rollback, requested by {ANN} (not verified) at " in text
    assert text.endswith("UTC: 500s on /pay.\n")


def test_the_bad_version_pushed_again_is_recorded_and_not_deployed_and_a_mail_says_so(
    two_versions, deploy, world, pushed_now
):
    ask("rollback", reason="500s on /pay")
    live = current()
    assert deploy(pushed_now(2, "-again")).states[-1] == "RecordPush"
    assert (current().deployment, current().pin) == (live.deployment, live.pin)
    assert ("2", "recorded") in outcomes()
    mail = world.mails[-1]
    assert mail["subject"] == "flask-app was not deployed: this version was rolled back"
    assert mail["text"].startswith("This version was rolled back, requested by ")
    assert f"The current version is still running at {live.url}" in mail["text"]
    assert '"action":"resume"' in mail["text"]
    assert sweep() == {}
    assert len(world.mails) == 4


def test_the_mail_about_a_held_push_says_that_a_worker_runs(two_versions, deploy, world, pushed_now):
    ask("rollback")
    live = current()
    worker = dataclasses.replace(live, url="", direct_url="")
    assert ledger.change_current(app="flask-app", new=worker, seen=live)
    deploy(pushed_now(2, "-again"))
    assert "The current version is still running.\n" in world.mails[-1]["text"]
    assert "No version is running." not in world.mails[-1]["text"]


def test_under_another_tag_the_bad_version_does_not_come_back_either(two_versions, deploy, pushed_now):
    ask("rollback")
    deploy(pushed_now(2, "-again", tag="v2"))
    assert current().digest == digest(1)


def test_a_lost_push_of_the_bad_version_is_not_made_up_for(two_versions, world, push):
    ask("rollback")
    world.tags["flask-app", "v2"] = digest(2)
    sweep()
    sweep()
    assert current().digest == digest(1)


def test_a_new_version_ends_the_pin(two_versions, deploy, world, pushed_now):
    ask("rollback", reason="500s on /pay")
    deploy(pushed_now(3))
    assert (current().digest, current().pin) == (digest(3), None)
    assert "Pinned" not in world.mails[-1]["text"]


def test_a_new_version_that_fails_leaves_the_pin_and_its_mail_says_so(two_versions, deploy, world, pushed_now):
    ask("rollback", reason="500s on /pay")
    world.bad.add("push-3")
    deploy(pushed_now(3))
    assert (current().digest, current().pin.digest) == (digest(1), digest(1))
    assert "Pinned to" in world.mails[-1]["text"]
    deploy(pushed_now(2, "-again"))
    assert current().digest == digest(1)


def test_a_restart_keeps_the_pin(two_versions, stop, world):
    ask("rollback", reason="500s on /pay")
    stop()
    assert current().pin.bad == [digest(2)]
    assert "Pinned to" in world.mails[-1]["text"]


def test_resume_ends_the_pin_and_deploys_what_the_tag_points_to(two_versions, world):
    ask("rollback")
    answer = ask("resume")
    assert (answer["status"], answer["tag"], answer["digest"]) == ("started", "latest", digest(2))
    assert (current().digest, current().pin) == (digest(2), None)
    assert "not pinned" in ask("resume")["reason"]
    assert sweep() == {}


def test_resume_of_tags_of_versions_deploys_the_newest_of_them(deploy, push):
    for number in (1, 2):
        document = push(number)
        document["detail"]["image-tag"] = f"v{number}"
        deploy(document)
    ask("rollback")
    assert current().tag == "v1"
    assert ask("resume")["tag"] == "v2"
    assert current().digest == digest(2)


def test_a_resume_does_not_take_a_signature_for_the_newest_push(two_versions, deploy, world, pushed_now):
    ask("rollback")
    world.manifests[digest(3)] = {"schemaVersion": 2, "config": {"mediaType": "sig"}}
    assert deploy(pushed_now(3, tag="sha256-2.sig")).states[-1] == "IgnorePush"
    assert ask("resume")["tag"] == "latest"
    assert current().digest == digest(2)


def test_a_resume_waits_for_a_push_that_is_being_admitted(two_versions, world, push):
    """It may be the newest one, and nothing says yet of which tag it is."""
    ask("rollback")
    coming = dataclasses.replace(
        Push.from_event(push(3), by_tag=False), time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    ledger.next_in_order(push=coming, now=time.time())
    answer = ask("resume")
    assert (answer["status"], answer["reason"]) == (
        "refused",
        "A push of flask-app is being admitted at this moment. Try again in a minute.",
    )
    assert current().digest == digest(1)
    ledger.claim(push=coming, execution="one", sequence=1)
    assert ask("resume")["status"] == "started"


def test_a_push_that_was_never_admitted_holds_no_resume_up_for_long(two_versions, world, push):
    ask("rollback")
    ledger.next_in_order(push=Push.from_event(push(3), by_tag=False), now=time.time())
    assert ask("resume")["status"] == "started"


def test_a_resume_that_finds_no_image_leaves_nothing_open(two_versions, world):
    ask("rollback")
    world.tags.clear()
    assert ask("resume")["status"] == "refused"
    assert ledger.unclaimed(app="flask-app") == []


def test_a_resume_that_fails_leaves_the_pin(two_versions, world):
    ask("rollback")
    world.answers = None
    ask("resume")
    assert (current().digest, current().pin.digest) == (digest(1), digest(1))


def test_a_second_rollback_goes_further_back(deploy, push, two_versions):
    deploy(push(3))
    assert ask("rollback")["digest"] == digest(2)
    assert ask("rollback")["digest"] == digest(1)
    assert current().pin.bad == [digest(3), digest(2)]
    assert "the others were rolled back" in ask("rollback")["reason"]


def test_a_version_that_was_rolled_back_can_be_gone_back_to_by_name(two_versions):
    ask("rollback")
    assert ask("rollback", to="@" + digest(2)[-8:])["status"] == "refused"
    assert ask("rollback", to=digest(2))["status"] == "started"
    assert (current().digest, current().pin.bad) == (digest(2), [digest(1)])


def test_a_rollback_to_a_deployment(deploy, push, two_versions):
    deploy(push(3))
    assert ask("rollback", to="push-1")["digest"] == digest(1)


def test_a_rollback_of_the_first_version_is_refused_with_a_sentence(deploy, push, world):
    deploy(push(1))
    answer = ask("rollback")
    assert answer["reason"] == (
        "There is no earlier version of flask-app to go back to: this is its first version."
    )
    assert len(world.mails) == 1


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("push-2", "already runs that version"),
        ("push-3", "was never live"),
        ("nope", "no deployment and no version nope"),
        ("@0000", "Several versions start with @0000"),
    ],
)
def test_a_rollback_is_refused_unless_it_names_one_previous_live_version(deploy, push, world, to, says):
    deploy(push(0))
    deploy(push(1))
    deploy(push(2))
    world.bad.add("push-3")
    deploy(push(3))
    assert says in ask("rollback", to=to)["reason"]


def test_a_rollback_to_an_image_gone_from_ecr_names_the_remaining_versions(deploy, push, world):
    for number in (1, 2, 3):
        deploy(push(number))
    world.gone.add(digest(2))
    reason = ask("rollback")["reason"]
    assert f"The image of latest ({digest(2)}) is no longer in ECR." in reason
    assert reason.endswith("These are still in ECR: latest @000000000000.")


def test_a_rollback_that_fails_changes_nothing(two_versions, world):
    before = current()
    world.answers = None
    ask("rollback", reason="500s on /pay")
    assert current() == before
    assert sweep() == {}
    assert "Pinned" not in world.mails[-1]["text"]


def test_a_rollback_that_fails_keeps_the_pin_of_the_one_before(deploy, push, two_versions, world):
    deploy(push(3))
    ask("rollback")
    pin = current().pin
    world.answers = None
    ask("rollback")
    assert current().pin == pin


def test_a_push_in_progress_yields_to_the_rollback(two_versions, deploy, world, push):
    world.faults["SwitchOver"] = [lambda: ask("rollback")]
    deploy(push(3))
    assert (current().digest, current().pin.bad) == (digest(1), [digest(2)])
    assert ("3", "superseded") in outcomes()


def test_a_push_whose_event_comes_after_the_rollback_was_before_it(two_versions, deploy, push):
    ask("rollback")
    deploy(push(3))
    assert (current().digest, current().pin.digest) == (digest(1), digest(1))


def test_a_push_during_a_rollback_wins(two_versions, deploy, world, pushed_now):
    world.faults["SwitchOver"] = [lambda: deploy(pushed_now(3))]
    ask("rollback")
    assert (current().digest, current().pin) == (digest(3), None)


def test_the_bad_version_pushed_during_a_rollback_does_not_win(two_versions, deploy, world, pushed_now):
    world.faults["SwitchOver"] = [lambda: deploy(pushed_now(2, "-again"))]
    ask("rollback")
    assert current().digest == digest(1)
    assert ("2", "recorded") in outcomes()


def test_each_step_may_run_twice(two_versions, deploy, world, pushed_now):
    world.each_step_twice = True
    ask("rollback")
    deploy(pushed_now(2, "-again"))
    ask("restart")
    ask("resume")
    assert current().digest == digest(2)
    outcomes = [mail["document"]["outcome"] for mail in world.mails[2:]]
    assert outcomes == ["deployed", "recorded", "deployed", "deployed"]


def test_the_same_request_twice_is_one_rollback(two_versions, world):
    first, second = (ask("rollback", id="0123456789ab") for _ in range(2))
    assert first == second
    assert current().digest == digest(1)
    assert len(world.mails) == 3


def test_a_request_whose_start_failed_continues_when_it_comes_again(two_versions, world):
    world.faults["start_execution"] = [ThrottledError("StartExecution: Rate exceeded")]
    answer = ask("rollback", id="0123456789ab")
    assert answer == {"status": "refused", "reason": "StartExecution: Rate exceeded", "kind": "not known"}
    assert ask("rollback", id="0123456789ab")["digest"] == digest(1)
    assert (current().digest, len(world.mails)) == (digest(1), 3)


def test_an_id_is_of_one_request(two_versions):
    ask("rollback", id="0123456789ab")
    assert "was already used for another request" in ask("resume", id="0123456789ab")["reason"]


def test_a_dry_run_changes_nothing(two_versions, world):
    before = current()
    answer = ask("rollback", dry_run="yes")
    assert (answer["status"], answer["digest"], answer["from_tag"]) == ("possible", digest(1), "latest")
    for action in ("stop", "restart", "end"):
        assert ask(action, dry_run="yes")["status"] == "possible"
    assert current() == before
    assert len(world.mails) == 2


def test_the_sweep_retries_a_rollback_that_was_throttled_and_keeps_its_reason(two_versions, world):
    world.faults["register_task_definition"] = [
        ThrottledError("RegisterTaskDefinition: Rate exceeded")
    ] * 101  # more than the workflow retries
    ask("rollback", reason="500s on /pay")
    assert current().digest == digest(2)
    world.faults.clear()
    sweep()
    assert (current().digest, current().pin.reason) == (digest(1), "500s on /pay")


def test_an_event_with_a_forged_request_is_not_deployed(two_versions, deploy, push):
    asked = {"action": "rollback", "from": digest(2), "at": 1, "by_digest": True}
    document = push(1) | {"id": "forged", "asked": asked}
    deploy(document, moves_the_tag=False)
    assert current().digest == digest(2)


def test_deploying_the_bad_version_once_more_is_refused(two_versions):
    ask("rollback", reason="500s on /pay")
    reason = ask("deploy")["reason"]
    assert reason.startswith("This version was rolled back, requested by ")
    assert reason.endswith("portcall resume flask-app")


def test_a_restart_that_was_asked_for_is_the_same_revision_without_a_gap(two_versions, world):
    before = current()
    answer = ask("restart", reason="a leak")
    after = current()
    assert (answer["status"], after.deployment) == ("started", answer["deployment"])
    assert (after.revision, after.digest, after.sequence) == (before.revision, before.digest, before.sequence)
    assert world.live() == {after.task} != {before.task}
    assert "flask-app was restarted. It is live again at this address." in world.mails[-1]["text"]
    assert f"Why: it was requested by {ANN} (not verified): a leak" in world.mails[-1]["text"]
    assert sweep() == {}


def test_a_restart_that_was_asked_for_and_fails_leaves_the_previous_version(two_versions, world):
    before = current()
    world.answers = None
    ask("restart")
    assert current() == before
    assert f"The previous version is still running at {before.url}" in world.mails[-1]["text"]
    assert "had stopped" not in world.mails[-1]["text"]
    assert sweep() == {}


def test_to_follow_a_deployment_is_to_ask_for_its_outcome(two_versions, world):
    name = ask("rollback")["deployment"]
    answer = ask("follow", to=name)
    assert (answer["status"], answer["outcome"], answer["url"]) == ("ended", "deployed", current().url)
    world.answers = None
    failed = ask("follow", to=ask("resume")["deployment"])
    assert (failed["outcome"], failed["serving"]) == ("failed", current().url)
    assert "did not answer" in failed["reason"]
    assert ask("follow", to="rollback-0000")["status"] == "under way"


@pytest.mark.parametrize("action", ["rollback", "resume", "restart", "stop", "start", "end"])
def test_of_an_app_that_there_is_not_nothing_can_be_asked(world, deploy, action):
    answer = ask(action)
    assert (answer["status"], answer["kind"]) == ("refused", "no such thing")


def test_a_reason_that_is_too_long_is_refused(two_versions):
    assert "may have 500 characters, and has 501" in ask("rollback", reason="x" * 501)["reason"]


def test_control_characters_in_a_reason_are_kept_out_of_the_mail(two_versions, world):
    ask("rollback", reason="a\nSubject: b\x1b[31m", by="ann\r\nx")
    assert "\nSubject" not in world.mails[-1]["text"].split("\n\n", 1)[1]
    assert "\x1b" not in world.mails[-1]["text"]


def test_who_asked_is_known_of_the_third_attempt_too(two_versions, world):
    """The second one is of what the first one was asked for, and the third of what the second was."""

    def attempts():
        return [each for each in ledger.deployments(app="flask-app") if each.asked]

    def throttle_two():
        if len(attempts()) < 3:
            raise ThrottledError("RegisterTaskDefinition: Rate exceeded")

    world.faults["register_task_definition"] = [throttle_two] * 999
    ask("rollback", id=f"{1:032x}")
    sweep()
    assert {each.deployment[:7]: each.outcome for each in attempts()} == {
        "rollbac": "retried",
        "retry-2": "retried",
        "retry-3": "deployed",
    }
    assert {each.asked["by"] for each in attempts()} == {ANN}
    assert current().digest == digest(1)


@pytest.mark.parametrize("other", [{"image-digest": digest(1)}, {"image-tag": "stable"}])
def test_an_event_that_changes_the_image_or_tag_of_its_request_is_rejected(two_versions, deploy, world, other):
    """The permission to start the workflow must not allow to lend somebody's name to an image of their own."""
    world.faults["register_task_definition"] = [
        ThrottledError("Rate exceeded")
    ] * 101  # more than the workflow retries
    ask("deploy", id=f"{1:032x}")
    (noted,) = [each for each in ledger.deployments(app="flask-app") if each.asked]
    detail = {"action-type": "PUSH", "result": "SUCCESS", "repository-name": "flask-app"}
    detail |= {"image-tag": noted.tag, "image-digest": noted.digest} | other
    document = {"id": noted.deployment, "time": noted.time, "detail": detail, "asked": noted.asked}
    assert deploy(document, moves_the_tag=False).error == "BadEventError"
