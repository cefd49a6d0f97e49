"""Many pushes at once: no mail about a URL that is dead by then, but nothing important is silent."""

import time
from importlib import import_module
from types import SimpleNamespace

import pytest
from deployer.actions import superseded
from deployer.aws import ledger
from deployer.domain.deployment import SUPERSEDED
from deployer.domain.errors import AccessDeniedError
from deployer.domain.push import Push
from deployer.events import reconcile
from deployer.settings import settings

from tests.conftest import LambdaContext


def current():
    return ledger.current(app="flask-app")


def outcomes():
    return {each.deployment: each.outcome for each in ledger.deployments(app="flask-app")}


def subjects(world):
    return [news["subject"].partition(": http")[0] for news in world.mails]


def digest(number):
    return f"sha256:{number:064x}"


@pytest.fixture
def tagged(push):
    """`tagged("v1", 3, image=1)` is the third push, of the first image."""

    def of(tag, number, image=0):
        document = push(number)
        document["detail"] |= {"image-tag": tag, "image-digest": digest(image or number)}
        return document

    return of


@pytest.fixture
def sweep(monkeypatch):
    """`sweep()` runs it ten minutes after all that has happened."""

    def run():
        later = time.time() + 600
        with monkeypatch.context() as clock:
            clock.setattr(reconcile.time, "time", lambda: later)
            return reconcile.handler({"id": "sweep"}, LambdaContext())

    return run


def test_of_ten_pushes_that_replace_each_other_only_the_last_is_mailed(deploy, world, push):
    world.faults["PublishUrl"] = [lambda number=number: deploy(push(number)) for number in range(2, 11)]
    deploy(push(1))
    assert subjects(world) == ["flask-app is live"]
    assert world.mails[0]["document"]["deployment"] == "push-10"
    assert world.live() == {current().task}
    assert set(outcomes().values()) == {"deployed", "superseded"}


def under_way(number):
    """A newer push whose execution has begun."""
    push = Push(f"newer-{number}", f"2026-11-20T09:16:{number:02}Z", "flask-app", "edge", digest(number))
    sequence = ledger.next_in_order(push=push, now=time.time()).number
    ledger.claim(push=push, execution="arn:newer", sequence=sequence)
    return push


def test_a_mail_waits_while_a_newer_push_is_being_deployed(deploy, world, push):
    begun = []

    def replaces():
        ledger.record(push=begun[0], outcome=SUPERSEDED)
        deploy(push(2))

    world.faults["PublishUrl"] = [lambda: begun.append(under_way(30)), lambda: None, replaces]
    deploy(push(1))
    assert [step for step, _ in world.steps].count("PublishUrl") >= 3
    assert [news["document"]["deployment"] for news in world.mails] == ["push-2"]
    assert outcomes()["push-1"] == "superseded"


def test_a_mail_goes_out_once_the_newer_push_has_failed(deploy, world, push):
    begun = []
    world.faults["PublishUrl"] = [
        lambda: begun.append(under_way(30)),
        lambda: ledger.record(push=begun[0], outcome="failed"),
    ]
    deploy(push(1))
    assert subjects(world) == ["flask-app is live"]
    assert outcomes()["push-1"] == "deployed"


def test_a_mail_does_not_wait_for_ever(deploy, world, push):
    world.faults["PublishUrl"] = [lambda: under_way(30)]
    assert deploy(push(1)).states[-1] == "PublishUrl"
    assert subjects(world) == ["flask-app is live"]


def test_the_mail_of_the_winner_speaks_of_what_it_superseded(deploy, world, push):
    world.faults["probe"] = [lambda: [deploy(push(number), moves_the_tag=False) for number in (1, 2)]]
    deploy(push(3))
    (news,) = world.mails
    assert "This push superseded 2 earlier ones, which are not live:" in news["text"]
    assert f"    latest ({digest(2)}), pushed at {push(2)['time']}\n" in news["text"]
    assert digest(1) in news["text"]
    assert ledger.unmailed(app="flask-app") == []


def test_a_new_image_that_an_older_one_supersedes_is_spoken_of(deploy, world, tagged):
    """docker push -a, with an older tag beside."""
    deploy(tagged("latest", 1))
    world.faults["probe"] = [lambda: deploy(tagged("old", 3))]
    deploy(tagged("latest", 2))
    assert current().tag == "old"
    assert subjects(world) == ["flask-app is live", "flask-app is live"]
    text = world.mails[1]["text"]
    assert f"This push superseded an earlier one, which is not live:\n    latest ({digest(2)})" in text
    assert "To deploy what latest points to instead:" in text
    assert '"tag":"latest"' in text


def test_an_older_tag_of_what_is_live_does_not_keep_a_new_image_from_going_live(deploy, world, tagged):
    """docker push -a, too: the older image is the one that is live."""
    deploy(tagged("latest", 1))
    world.faults["probe"] = [lambda: deploy(tagged("v1", 3, image=1))]
    deploy(tagged("latest", 2))
    assert current().digest == digest(2)
    assert outcomes()["push-3"] == "same image"
    text = world.mails[-1]["text"]
    assert f"That starts no deployment:\n    v1 ({digest(1)})" in text
    assert "To deploy what v1 points to instead:" in text


def test_the_mail_of_a_failure_speaks_of_what_it_superseded(deploy, world, push):
    deploy(push(1))
    world.bad = {"push-3"}
    world.faults["probe"] = [lambda: deploy(push(2), moves_the_tag=False)]
    deploy(push(3))
    assert current().deployment == "push-1"
    assert (
        f"This push superseded an earlier one, which is not live:\n    latest ({digest(2)})"
        in world.mails[-1]["text"]
    )
    assert len(world.mails) == 2


@pytest.mark.parametrize("again", [False, True])
def test_a_push_superseded_by_one_that_failed_is_reported_by_the_sweep(deploy, world, push, sweep, again):
    deploy(push(1))
    world.bad = {"push-3"}
    deploy(push(3))
    deploy(push(2), moves_the_tag=False)
    assert subjects(world) == ["flask-app is live", "flask-app never answered"]
    if again:
        # It is at-least-once: a mail that may not have gone out is sent again.
        world.faults["publish"] = [AccessDeniedError("Publish: not authorized")]
        sweep()
    sweep()
    assert subjects(world)[2:] == ["flask-app was not deployed: its push was superseded"]
    news = world.mails[2]
    assert (
        f"    latest ({digest(2)}), pushed at {push(2)['time']}: The tag now points to {digest(3)}."
        in news["text"]
    )
    assert f"The previous version is still running at {current().url}" in news["text"]
    assert news["attributes"] == {"app": "flask-app", "outcome": "superseded"}
    assert sweep() == {}
    assert len(world.mails) == 3


def test_no_mail_calls_a_signature_superseded_whose_image_was_signed_again(deploy, world, push, sweep, tagged):
    """Its push ends before anything is read of it."""
    for number in (2, 3):
        world.manifests[digest(number)] = {"schemaVersion": 2, "config": {"mediaType": "sig"}}
    deploy(push(1))
    tag = digest(1).replace(":", "-") + ".sig"
    world.tags["flask-app", tag] = digest(3)
    deploy(tagged(tag, 2), moves_the_tag=False)
    assert deploy(tagged(tag, 3)).states[-1] == "IgnorePush"
    assert outcomes()["push-2"] == "superseded"
    sweep()
    deploy(push(4))
    assert subjects(world) == ["flask-app is live", "flask-app is live"]
    assert digest(2) not in world.mails[1]["text"]
    assert ledger.unmailed(app="flask-app") == []


def test_a_push_named_only_in_an_unsent_mail_is_reported_by_the_sweep(
    deploy, world, push, sweep, tagged, monkeypatch, request
):
    """Only the first refusal of an hour is mailed."""
    request.addfinalizer(settings.cache_clear)
    monkeypatch.setenv("MAX_APPS", "1")
    settings.cache_clear()
    other = push(4)
    other["detail"]["repository-name"] = "other"
    deploy(other)
    deploy(push(1))
    deploy(push(2), moves_the_tag=False)
    deploy(tagged("edge", 3))
    assert subjects(world) == ["other is live", "flask-app was refused: too many apps"]
    sweep()
    assert subjects(world)[2:] == ["flask-app was not deployed: its push was superseded"]
    assert digest(2) in world.mails[2]["text"]
    assert sweep() == {}
    assert len(world.mails) == 3


def test_a_push_whose_tag_is_gone_is_reported_by_the_sweep(deploy, world, push, sweep):
    deploy(push(1), moves_the_tag=False)
    sweep()
    sweep()
    assert subjects(world) == ["flask-app was not deployed: its tag was deleted"]


def test_the_sweep_says_nothing_where_something_newer_is_live(deploy, world, push, sweep):
    deploy(push(2))
    deploy(push(1), moves_the_tag=False)
    assert sweep() == {}
    assert subjects(world) == ["flask-app is live"]
    assert ledger.unmailed(app="flask-app") == []


def test_the_sweep_does_not_report_superseded_pushes_during_a_deployment(deploy, world, push, sweep):
    world.faults["probe"] = [lambda: (deploy(push(1), moves_the_tag=False), sweep())]
    deploy(push(2))
    assert subjects(world) == ["flask-app is live"]
    assert digest(1) in world.mails[0]["text"]


def test_every_step_may_run_twice(deploy, world, push, sweep):
    world.each_step_twice = True
    world.faults["probe"] = [lambda: deploy(push(1), moves_the_tag=False)]
    deploy(push(2))
    sweep()
    assert subjects(world) == ["flask-app is live"]
    assert digest(1) in world.mails[0]["text"]


# A mail names each push once, whenever it is superseded while the mail is written.

READS = 3
OPEN = Push("older", "2026-11-20T09:15:00Z", "flask-app", "edge", digest(9))


@pytest.fixture
def reads(monkeypatch):
    """The keys that are read from the ledger; `reads.before[n]` is called before the nth read."""
    module = import_module("deployer.aws.ledger.app_pushes")
    get, keys = module.get, []
    before: dict[int, list] = {}

    def read(key):
        for act in before.get(len(keys), ()):
            act()
        keys.append(key)
        return get(key)

    monkeypatch.setattr(module, "get", read)
    return SimpleNamespace(keys=keys, before=before)


@pytest.fixture
def live(ledger_table):
    """A push that is live, and the older one `OPEN`, still in progress; returns the first and its number."""
    for push in (OPEN, Push("newer", "2026-11-20T09:16:00Z", "flask-app", "latest", digest(1))):
        sequence = ledger.next_in_order(push=push, now=time.time()).number
        ledger.claim(push=push, execution="arn:an-execution", sequence=sequence)
    return push, sequence


@pytest.mark.parametrize(
    ("noted", "recorded"), [(noted, at) for noted in range(READS + 1) for at in range(noted, READS + 1)]
)
def test_a_push_that_is_superseded_meanwhile_is_named_once(live, reads, noted, recorded):
    reads.before.setdefault(noted, []).append(lambda: ledger.add_unmailed(push=OPEN))
    reads.before.setdefault(recorded, []).append(lambda: ledger.record(push=OPEN, outcome=SUPERSEDED))
    named = [each.deployment for each in superseded.mailed_with_live(*live)]
    assert named == ["older"]


def test_a_mail_of_superseded_pushes_reads_the_list_of_pushes_once(live, reads):
    superseded.mailed_with_live(*live)
    # Nor does it read its own push, of which it knows everything.
    assert [key["sk"].rpartition("#")[2] for key in reads.keys] == ["order", "older"]
