"""The ledger with writes at the same moment, late, or twice."""

import dataclasses
import time
from types import SimpleNamespace

import pytest
from botocore.client import BaseClient
from deployer.aws import ledger, ledger_keys, table
from deployer.aws.items import plain, wire
from deployer.aws.ledger import deployment_records, known_tags, mail_rate
from deployer.domain.deployment import Current, KnownTag
from deployer.domain.endpoint import StableUrl
from deployer.domain.errors import AwsRefusedError
from deployer.domain.push import Push

from tests.conftest import apps_with_slots

pytestmark = pytest.mark.usefixtures("ledger_table")

NOW = 1_795_600_000
DAY = 24 * 60 * 60


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The ledger's clock stands still."""
    still = SimpleNamespace(time=lambda: NOW + 0.9)
    for module in (deployment_records, known_tags, mail_rate):
        monkeypatch.setattr(module, "time", still)


def push(number=1, *, second=0, tag="latest", app="flask-app"):
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - 100 + second))
    return Push(f"push-{number}", at, app, tag, f"sha256:{number:064x}")


def version(number=1, **more):
    at = {"revision": f"flask-app:{number}", "since": "2026-11-25T00:00:00+00:00"}
    url = f"http://203.0.113.{number}:3000/"
    return Current(
        f"push-{number}", number, f"task-{number}", url, f"sha256:{number:064x}", "latest", **at | more
    )


@pytest.fixture
def item(_dynamodb):
    """`item(key)` is an item of the table."""
    return lambda key: plain(_dynamodb.get_item(TableName="ledger", Key=wire(key)).get("Item") or {})


@pytest.fixture
def put(_dynamodb):
    """`put(item)` puts an item into the table."""
    return lambda item: _dynamodb.put_item(TableName="ledger", Item=wire(item))


def current(app="flask-app"):
    return ledger.current(app=app)


def switch(number=1, seen=None, **more):
    return ledger.make_current(push=push(number), new=version(number, **more), seen=seen)


def forget(seen, number=1, **facts):
    return ledger.end_current(push=push(number), seen=seen, **facts)


def claim(number=1, execution="first", sequence=7, **more):
    return ledger.claim(push=push(number), execution=execution, sequence=sequence, **more)


def record(outcome="deployed", number=1, **facts):
    return ledger.record(push=push(number), outcome=outcome, **facts)


def open_ones(app="flask-app"):
    return [each.deployment for each in ledger.open_deployments(app=app)]


def draw(number=1, now=NOW, **more):
    return ledger.next_in_order(push=push(number, **more), now=now).number


def note(number, sequence, **more):
    ledger.note_in_order(push=push(number, **more), sequence=sequence)


# The order of pushes.


def test_the_last_deployment_is_that_of_the_largest_number_and_a_retry_replaces_it(item):
    note(2, 20)
    note(1, 10)
    last = item(ledger_keys.order("flask-app"))["last_deployment"]
    assert last == ledger_keys.name_of_push(push(2))
    note(3, 20)
    assert item(ledger_keys.order("flask-app"))["last_deployment"] == ledger_keys.name_of_push(push(3))


def test_a_push_of_a_later_second_has_the_larger_number_whenever_its_event_comes():
    later, earlier = draw(2, second=1, tag="v2"), draw(1, second=0, tag="v1")
    assert later > earlier


def test_within_a_second_it_is_the_order_of_drawing():
    assert draw(1) < draw(2) < draw(3)


def test_a_million_pushes_of_a_second_are_less_than_the_next_second(put):
    put(ledger_keys.order("flask-app") | {"admitted": 999_998})
    assert draw(1, second=0, tag="v1") < draw(2, second=1, tag="v2")


def test_a_later_push_of_a_tag_has_the_larger_number_though_the_clock_went_back():
    first = draw(1, second=50)
    note(1, first)
    assert draw(2, second=10) == first + 1
    assert draw(3, second=10, tag="other") < first


def test_a_later_second_counts_though_the_tag_had_a_number():
    note(1, draw(1, second=0))
    assert draw(2, second=1) // 1_000_000 == push(2, second=1).pushed_at


def test_a_push_dated_ahead_of_the_clock_counts_as_pushed_now():
    ahead = draw(1, now=NOW + 0.9, second=5000)
    assert ahead // 1_000_000 == NOW
    assert draw(2, now=NOW + 1, second=101) > ahead


def test_a_smaller_number_that_is_noted_late_changes_nothing():
    note(2, 20, tag="latest")
    note(1, 10, tag="other")
    assert draw(3, second=-5000) == max(20 + 1, (NOW - 5100) * 1_000_000 + 1)


def test_the_number_that_was_noted_last_is_the_last_of_its_tag():
    far_ahead = (NOW + 1000) * 1_000_000
    note(1, far_ahead, tag="latest")
    note(2, far_ahead + 1, tag="other")
    assert draw(3, tag="latest") < far_ahead
    assert draw(4, tag="other") == far_ahead + 2


def test_nobody_is_newer_than_the_newest_push_and_nobody_older_gets_past_it():
    newest = [ledger.is_newest(push=push(1), sequence=number) for number in (5, 5, 4, 6, 5)]
    assert newest == [True, True, False, True, False]


def test_the_newest_number_is_that_of_a_push_that_is_known_to_be_an_app():
    """A signature that is pushed after an image has a number too, and must not stand in its way."""

    def newest():
        return ledger.newest(app="flask-app")

    assert newest() == 0
    note(1, 10)
    assert newest() == 0
    ledger.is_newest(push=push(2), sequence=11)
    assert newest() == 11
    note(3, 12)
    assert newest() == 11


def test_how_many_deployments_were_begun_is_counted():
    def noted():
        return ledger.app_pushes(app="flask-app").noted

    assert noted() == 0
    draw(1)
    draw(2)
    assert noted() == 2


def test_a_request_is_numbered_after_all_known_pushes_whatever_the_clocks_say():
    def asked(number, **more):
        return ledger.next_in_order(push=push(number, **more), now=NOW, after_all=True).number

    assert asked(1) == push(1).pushed_at * 1_000_000 + 1
    ahead = (NOW + 1000) * 1_000_000
    note(2, ahead)
    # Of whichever tag.
    assert asked(3, tag="other") == ahead + 1
    ledger.is_newest(push=push(4), sequence=ahead + 5)
    assert asked(5) == ahead + 6


def test_a_push_after_a_rollback_is_still_numbered_by_its_time():
    ahead = (NOW + 1000) * 1_000_000
    ledger.note_in_order(push=push(1), sequence=ahead, of_tag=False)
    assert draw(2) < ahead


def test_a_deployment_that_has_ended_gives_its_place_back_once_its_outcome_is_there():
    """The next deployment that becomes current sees the outcome."""
    first, second = push(1), push(2)
    claim()
    assert ledger.note_under_way(push=first, most=1)
    assert not ledger.note_under_way(push=second, most=1)
    assert ledger.record(push=first, outcome="failed")
    assert ledger.note_under_way(push=second, most=1)
    # Another outcome is refused, and the place is free anyway.
    assert ledger.note_under_way(push=first, most=2)
    assert not ledger.record(push=first, outcome="deployed")
    assert not ledger.note_under_way(push=push(3), most=1)
    assert ledger.note_under_way(push=push(3), most=2)


# Which deployment handles a push.


def test_the_execution_that_comes_second_does_not_get_the_push():
    assert claim(execution="first", sequence=7) == 7
    assert claim(execution="second", sequence=8) is None


def test_a_step_that_runs_twice_keeps_its_number_and_when_it_began(item, monkeypatch):
    claim(sequence=7)
    monkeypatch.setattr(deployment_records, "time", SimpleNamespace(time=lambda: NOW + 60))
    assert claim(sequence=8) == 7
    found = item(ledger_keys.deployment("flask-app", ledger_keys.name_of_push(push())))
    assert found["began_at"] == NOW


def test_a_deployment_is_kept_for_90_days(item):
    key = ledger_keys.deployment("flask-app", ledger_keys.name_of_push(push()))
    claim()
    assert item(key)["expires_at"] == NOW + 90 * DAY
    record()
    assert item(key)["expires_at"] == NOW + 90 * DAY


def test_a_claim_says_what_it_restarts_or_tries_again_and_who_asked_for_it():
    claim(1, restart={"deployment": "push-0"})
    claim(2, retry={"of": "push-1", "attempt": 2})
    claim(3)
    claim(4, asked={"action": "deploy", "by": "ann"})
    found = {
        each.deployment: (each.restart, each.retry, each.asked) for each in ledger.deployments(app="flask-app")
    }
    assert found == {
        "push-1": ({"deployment": "push-0"}, {}, {}),
        "push-2": ({}, {"of": "push-1", "attempt": 2}, {}),
        "push-3": ({}, {}, {}),
        "push-4": ({}, {}, {"action": "deploy", "by": "ann"}),
    }


@pytest.fixture
def no_such_table(monkeypatch):
    monkeypatch.setattr(table, "_given", "no-such-table")


def test_another_refusal_of_a_claim_is_not_a_duplicate(no_such_table):
    with pytest.raises(AwsRefusedError):
        ledger.claim(push=push(), execution="any", sequence=1)


# Outcomes.


def test_the_first_outcome_stays_and_the_second_is_not_reported():
    assert record("deployed") is True
    assert record("failed") is False
    (found,) = ledger.deployments(app="flask-app")
    assert found.outcome == "deployed"


def test_an_outcome_is_to_be_reported_until_it_was():
    assert record() is True
    assert record() is True
    ledger.mark_notified(push=push())
    assert record() is False


def test_another_refusal_of_an_outcome_is_raised(no_such_table):
    with pytest.raises(AwsRefusedError):
        ledger.record(push=push(), outcome="deployed")


def test_an_outcome_makes_room_for_the_next_deployment_of_the_repository():
    assert ledger.note_under_way(push=push(1), most=1)
    assert ledger.note_under_way(push=push(1), most=1)
    assert not ledger.note_under_way(push=push(2), most=1)
    record(number=1)
    assert ledger.note_under_way(push=push(2), most=1)


def test_the_last_deployments_are_listed_newest_first():
    for number in (1, 2, 3):
        ledger.claim(push=push(number, second=number), execution="any", sequence=number)
    found = ledger.deployments(app="flask-app", most=2)
    assert [each.deployment for each in found] == ["push-3", "push-2"]


def test_of_deployments_pushed_in_one_second_the_higher_number_is_newer():
    for number, sequence in ((1, 2), (2, 1), (3, 3)):
        ledger.claim(push=push(number, second=5), execution="any", sequence=sequence)
    assert [each.sequence for each in ledger.deployments(app="flask-app")] == [3, 2, 1]


def test_as_many_deployments_are_listed_as_people_read():
    for number in range(51):
        ledger.claim(push=push(number, second=number), execution="any", sequence=number)
    assert len(ledger.deployments(app="flask-app")) == 50


def test_claimed_pushes_are_listed_as_open_oldest_first_until_closed():
    for number in (2, 1):
        draw(number, second=number)
        ledger.claim(push=push(number, second=number), execution="any", sequence=number)
    draw(3, second=3)  # Drawn, and not claimed yet.
    assert open_ones() == ["push-1", "push-2"]
    found = ledger.open_deployments(app="flask-app")
    ledger.close(app="flask-app", deployments=found[:1])
    assert open_ones() == ["push-2"]


def test_one_deployment_is_found_by_its_time_and_name():
    claim()
    found = ledger.deployment(app="flask-app", time=push().time, name="push-1")
    assert (found.deployment, found.time, found.tag, found.execution) == (
        "push-1",
        push().time,
        "latest",
        "first",
    )
    assert ledger.deployment(app="flask-app", time=push().time, name="push-2") is None


# What is current.


def test_who_has_not_seen_what_is_current_cannot_take_its_place():
    assert switch(1)
    assert not switch(2)
    first = current()
    assert switch(2, seen=first)
    assert not switch(3, seen=first)
    assert current().deployment == "push-2"


def test_an_abandoned_deployment_cannot_become_current():
    claim()
    ledger.abandon(push=push())
    assert not switch()
    assert current() is None


def test_a_deployment_abandoned_before_its_admission_is_listed_as_open():
    ledger.abandon(push=push())
    (found,) = ledger.open_deployments(app="flask-app")
    assert (found.deployment, found.tag, found.digest) == ("push-1", "latest", push().digest)


@pytest.mark.parametrize(("known", "while_tagged", "switches"), [(None, True, True), (push().digest, True, True), ("", True, False), ("", False, True)])  # fmt: skip
def test_a_preview_whose_tag_is_known_to_be_gone_cannot_become_current(known, while_tagged, switches):
    """Another app may: what is deployed of it need not have its tag any more."""
    if known is not None:
        ledger.record_tag(app="flask-app", tag="latest", digest=known, as_of=5, seen=None)
    more = {"while_tagged": True} if while_tagged else {}
    assert ledger.make_current(push=push(), new=version(), seen=None, **more) is switches
    assert (current() is not None) is switches


def test_another_refusal_of_a_switch_is_raised(no_such_table):
    with pytest.raises(AwsRefusedError):
        ledger.make_current(push=push(), new=version(), seen=None)


def test_the_current_deployment_is_read_as_it_was_written():
    address = StableUrl("api-1", "https://api-1.example/")
    new = version(
        3, last_stable_url=address, crashes=[1, 2], previous_tasks=["task-2"], image={"ports": [80]}, ended=True
    )
    switch(3)
    assert ledger.change_current(app="flask-app", new=new, seen=current())
    assert current() == dataclasses.replace(new, version=2)


def test_a_change_of_what_somebody_else_has_changed_is_refused():
    switch()
    seen = current()
    assert ledger.change_current(app="flask-app", new=version(1, gave_up_reason="first"), seen=seen)
    assert not ledger.change_current(app="flask-app", new=version(1, gave_up_reason="second"), seen=seen)
    assert current().gave_up_reason == "first"


def test_a_current_deployment_that_changed_since_it_was_read_is_not_ended():
    switch()
    seen = current()
    ledger.change_current(app="flask-app", new=version(1, gave_up_reason="It crashed."), seen=seen)
    assert not forget(seen)
    assert current().gave_up_reason == "It crashed."
    assert open_ones() == []


def test_of_two_who_forget_what_is_current_one_has_done_so_and_its_end_is_to_be_reported():
    switch()
    seen = current()
    assert forget(seen, 2, reason="Its tag was deleted.")
    assert not forget(seen, 2, reason="again")
    assert current() is None
    (found,) = ledger.open_deployments(app="flask-app")
    assert (found.deployment, found.outcome, found.reason) == ("push-2", "ended", "Its tag was deleted.")


def test_that_an_app_has_ended_is_kept_for_90_days(item):
    switch()
    forget(current(), 2)
    kept = item(ledger_keys.deployment("flask-app", ledger_keys.name_of_push(push(2))))["expires_at"]
    assert kept == pytest.approx(time.time() + 90 * DAY, abs=60)
    assert ledger.apps() == {"flask-app"}


def test_a_push_is_of_the_app_that_it_was_named_of_first():
    first = push(1, app="shop")
    assert ledger.name_app(push=first) == "shop"
    assert ledger.name_app(push=dataclasses.replace(first, app="shop:latest")) == "shop"
    assert ledger.name_app(push=push(2, app="shop:latest")) == "shop:latest"


# Tags.


def known(tag="latest"):
    return ledger.tag(app="flask-app", tag=tag)


def claim_tag(number=1, *, image=0, second=0, **more):
    what = push(number, second=second)
    what = Push(what.deployment, what.time, what.app, what.tag, f"sha256:{image or number:064x}")
    return ledger.claim_tag(push=what, **more)


def test_one_push_is_handled_once_from_whichever_source():
    assert claim_tag(1, image=1) == ""
    assert claim_tag(1, image=1) == ""
    assert claim_tag(2, image=1) == "push-1"
    assert known() == KnownTag(push(1).digest, push(1).pushed_at, "push-1")


def test_a_further_attempt_takes_over_from_the_one_before():
    claim_tag(1, image=1)
    assert claim_tag(2, image=1, instead_of="push-1") == ""
    assert known().deployment == "push-2"


def test_the_same_image_pushed_later_is_another_push():
    claim_tag(1, image=1, second=0)
    assert claim_tag(2, image=1, second=1) == ""
    assert known().deployment == "push-2"


def test_another_image_seen_under_the_tag_counts_whatever_its_time():
    claim_tag(1, second=5)
    assert claim_tag(2, second=0) == ""
    assert known().digest == push(2).digest


def test_an_image_not_seen_under_the_tag_counts_only_if_nothing_later_is_known():
    claim_tag(1, second=5)
    assert claim_tag(2, second=5, seen=False) == "push-1"
    assert claim_tag(2, second=6, seen=False) == ""
    assert known().deployment == "push-2"


@pytest.mark.parametrize("digest", ["", push(2).digest])
def test_an_image_not_seen_under_the_tag_does_not_hide_a_later_one_of_the_sweep(digest):
    see(digest, as_of=NOW)
    claim_tag(1, seen=False)
    assert known() == KnownTag(digest, NOW, "")


def test_a_tag_is_known_as_of_when_it_was_seen():
    claim_tag(1, second=0, as_of=NOW + 5)
    assert known().as_of == NOW + 5
    claim_tag(2, second=0, as_of=1)
    assert known().as_of == push(2).pushed_at


def test_a_push_dated_ahead_of_the_clock_does_not_hide_the_next():
    claim_tag(1, image=1, second=5000)
    assert known().as_of == NOW
    assert claim_tag(2, image=1, second=5000) == "push-1"


@pytest.mark.parametrize("before", ["", "push-0"])
def test_a_push_that_nobody_handles_may_be_handled_by_anybody(before):
    see(push(1).digest, as_of=NOW)
    assert claim_tag(1, image=1, instead_of=before) == ""
    assert known().deployment == "push-1"


def see(digest, *, as_of, seen=None, tag="latest"):
    return ledger.record_tag(app="flask-app", tag=tag, digest=digest, as_of=as_of, seen=seen)


def test_a_tag_is_seen_only_if_nothing_was_pushed_meanwhile():
    assert see("", as_of=NOW)
    assert not see("", as_of=NOW + 1)
    seen = known()
    claim_tag(1, second=5000)
    assert not see("", as_of=NOW + 1, seen=seen)
    assert known().deployment == "push-1"
    # At the same second, but another image.
    assert not see("", as_of=NOW + 1, seen=KnownTag(push(2).digest, known().as_of, ""))
    assert not see("", as_of=NOW + 1, seen=KnownTag(push(1).digest, known().as_of - 1, ""))
    assert see("", as_of=NOW + 1, seen=known())


def test_a_tag_seen_again_keeps_the_deployment_that_handles_it_and_another_image_does_not():
    claim_tag(1)
    assert see(push(1).digest, as_of=NOW, seen=known())
    assert known() == KnownTag(push(1).digest, NOW, "push-1")
    assert see(push(2).digest, as_of=NOW + 1, seen=known())
    assert known() == KnownTag(push(2).digest, NOW + 1, "")


def test_a_tags_record_is_kept_for_90_days(item):
    claim_tag(1)
    assert item(ledger_keys.tag("flask-app", "latest"))["expires_at"] == NOW + 90 * DAY
    see(push(1).digest, as_of=NOW, tag="seen")
    assert item(ledger_keys.tag("flask-app", "seen"))["expires_at"] == NOW + 90 * DAY


def test_all_tags_of_an_app_are_listed_by_name():
    see("sha256:1", as_of=1, tag="v1")
    see("sha256:2", as_of=2, tag="v2")
    assert ledger.tags(app="flask-app") == {
        "v1": KnownTag("sha256:1", 1, ""),
        "v2": KnownTag("sha256:2", 2, ""),
    }
    assert known("v3") is None


def test_another_refusal_of_a_tag_is_raised(no_such_table):
    with pytest.raises(AwsRefusedError):
        ledger.claim_tag(push=push())


# Sets that hold so many.


def take(app, **most):
    return ledger.take_slot(app=app, most=most or {"apps": 2, "of shop": 1})


def test_an_app_takes_a_slot_in_every_set_or_in_none():
    assert take("shop:pr-1") == {}
    assert take("shop:pr-2") == {"apps": {"shop:pr-1"}, "of shop": {"shop:pr-1"}}
    assert take("web:pr-1", **{"apps": 2, "of web": 1}) == {}
    assert take("shop:pr-3", **{"apps": 2, "of web": 9}) == {
        "apps": {"shop:pr-1", "web:pr-1"},
        "of web": {"web:pr-1"},
    }
    assert apps_with_slots() == {"shop:pr-1", "web:pr-1"}


def test_an_app_that_has_its_slots_keeps_them_though_the_sets_are_full():
    take("shop:pr-1")
    take("web:pr-1", **{"apps": 2, "of web": 1})
    assert take("shop:pr-1") == {}


def test_a_slot_that_is_given_back_may_be_taken():
    take("shop:pr-1")
    take("other", lasting=1)
    assert free("shop:pr-1")
    assert take("shop:pr-2") == {}
    assert free("other")
    assert take("more", lasting=1) == {}
    assert apps_with_slots() == {"shop:pr-2", "more"}


def free(app, noted=0, seen=None):
    return ledger.free_slot(app=app, noted=noted, seen=seen)


def test_a_slot_is_not_given_back_once_a_push_was_noted_or_something_has_become_current():
    take("flask-app", lasting=1)
    draw(1)
    assert not free("flask-app")
    noted = ledger.app_pushes(app="flask-app").noted
    switch(1)
    assert not free("flask-app", noted)
    draw(2)
    assert not free("flask-app", noted, current())
    assert apps_with_slots() == {"flask-app"}
    assert free("flask-app", noted + 1, current())
    assert apps_with_slots() == set()


def test_who_has_a_slot_or_is_under_way_is_known_for_as_long_as_it_takes(item):
    take("shop:pr-1")
    ledger.note_under_way(push=push(), most=1)
    assert "expires_at" not in item(ledger_keys.SLOTS) | item(ledger_keys.under_way("flask-app"))


def test_another_refusal_of_a_slot_is_raised(no_such_table):
    with pytest.raises(AwsRefusedError):
        ledger.take_slot(app="shop", most={"apps": 1})


# Mails.


def test_each_mail_of_an_hour_counts_once_and_no_more_than_may_be_go_out(item):
    def mail(number, kind="mails", most=2):
        return ledger.note_mail(push=push(number), hour=5, kind=kind, most=most)

    assert [mail(1), mail(1), mail(2), mail(3), mail(2)] == [True, True, True, False, True]
    assert mail(3, kind="refusal", most=1)
    assert not mail(4, kind="refusal", most=1)
    assert item(ledger_keys.mails_of_hour("flask-app", 5))["expires_at"] == NOW + DAY


def test_the_mails_of_a_second_are_counted_together_and_the_count_is_kept_for_an_hour(item):
    assert [ledger.mails_this_second() for _ in range(3)] == [1, 2, 3]
    assert item(ledger_keys.mails_of_second(NOW))["expires_at"] == NOW + 3600


# The sweep.


def begin(name="a", now=NOW, watching="all", takes=240):
    return ledger.begin_sweep(sweep=name, now=now, until=now + takes, watching=watching)


def end(name="a", after=""):
    ledger.end_sweep(sweep=name, after=after)


def test_the_first_sweep_watches_since_now_and_has_none_before_it():
    assert begin() == ledger.Sweep(since=NOW, previous=0, after="", died=False)


def test_one_sweep_at_a_time_and_its_own_name_may_begin_twice():
    begin("a")
    assert begin("b", now=NOW + 239) is None
    assert begin("a", now=NOW + 1) is not None


def test_a_sweep_that_died_yields_when_its_time_is_up():
    begin("a")
    ledger.note_sweep(sweep="a", app="shop")
    assert begin("b", now=NOW + 240) == ledger.Sweep(since=NOW, previous=NOW, after="shop", died=True)


def test_a_sweep_that_ended_makes_room_and_says_how_far_it_came():
    begin("a")
    end("a", after="shop")
    assert begin("b", now=NOW + 1) == ledger.Sweep(since=NOW, previous=NOW, after="shop", died=False)


def test_a_sweep_that_took_longer_than_it_had_disturbs_no_other():
    begin("a")
    begin("b", now=NOW + 240)
    ledger.note_sweep(sweep="b", app="web")
    ledger.note_sweep(sweep="a", app="shop")
    end("a", after="shop")
    assert begin("c", now=NOW + 241) is None
    assert begin("c", now=NOW + 480).after == "web"


def test_watching_begins_again_only_when_the_watched_repositories_change():
    begin("a", watching="shop")
    end("a")
    assert begin("b", now=NOW + 1, watching="shop").since == NOW
    end("b")
    assert begin("c", now=NOW + 2, watching="all").since == NOW + 2
    end("c")
    assert begin("d", now=NOW + 3, watching="all").since == NOW + 2


def test_a_sweep_without_a_name_of_what_it_watches_watches_nothing_new():
    ledger.begin_sweep(sweep="a", now=NOW, until=NOW + 1)
    assert ledger.begin_sweep(sweep="b", now=NOW + 5, until=NOW + 6).since == NOW


def test_a_refusal_of_the_sweep_is_no_other_sweep(no_such_table):
    with pytest.raises(AwsRefusedError):
        ledger.begin_sweep(sweep="a", now=NOW, until=NOW + 1)


# The list of apps.


def test_an_app_is_listed_from_its_first_push_on():
    draw(1)
    draw(2, app="team/shop:pr-1")
    assert ledger.apps() == {"flask-app", "team/shop:pr-1"}


def test_an_app_with_an_open_deployment_stays_listed():
    draw(1)
    assert not ledger.unlist_app(app="flask-app")
    assert ledger.apps() == {"flask-app"}


def test_an_app_of_which_all_is_reported_is_listed_no_more_until_something_comes():
    draw(1)
    claim(1)
    found = ledger.open_deployments(app="flask-app")
    ledger.close(app="flask-app", deployments=found)
    assert ledger.unlist_app(app="flask-app")
    assert ledger.apps() == set()
    ledger.list_app(app="flask-app")
    assert ledger.apps() == {"flask-app"}


def test_every_read_sees_what_was_written_just_now_but_for_the_index_which_cannot(monkeypatch):
    """DynamoDB answers from a copy that may be a second old, unless it is asked for better."""
    reads, send = {}, BaseClient._make_api_call

    def note_read(client, operation, parameters):
        if operation in ("GetItem", "Query"):
            reads.setdefault((operation, "IndexName" in parameters), set()).add(
                parameters.get("ConsistentRead", False)
            )
        return send(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", note_read)
    current(), known(), open_ones()
    ledger.tags(app="flask-app")
    ledger.apps()
    ledger.deployments(app="flask-app")
    ledger.operations(app="flask-app")
    assert reads == {("GetItem", False): {True}, ("Query", False): {True}, ("Query", True): {False}}


def test_the_counter_of_test_emails_expires_a_day_later(item):
    assert ledger.note_test_mail(name="one", hour=7, most=1)
    assert item(ledger_keys.test_mails_of_hour(7))["expires_at"] == NOW + DAY
