"""The ledger's other items: images, recorded pushes, operators' requests; and the overview."""

import importlib
import time

import pytest
from botocore.client import BaseClient
from deployer.aws import ledger, ledger_keys, table
from deployer.aws.items import plain, wire
from deployer.domain.deployment import Current
from deployer.domain.errors import AwsRefusedError, ThrottledError
from deployer.domain.push import Push
from deployer.domain.same_image import KnownImage

# The function of that name hides the module.
overview = importlib.import_module("deployer.aws.ledger.overview")

pytestmark = pytest.mark.usefixtures("ledger_table")

APP = "flask-app"
RETENTION_SECONDS = 90 * 24 * 60 * 60


def push(number=1, app=APP):
    return Push(f"push-{number}", f"2026-11-20T09:15:{number:02}Z", app, "latest", f"sha256:{number:064x}")


def serve(number=1, app=APP):
    at = {"revision": "app:1", "since": "2026-11-25T00:00:00+00:00"}
    new = Current(f"push-{number}", number, "task", "http://a", push(number).digest, "latest", **at)
    ledger.make_current(push=push(number, app), new=new, seen=ledger.current(app=app))
    return ledger.current(app=app)


@pytest.fixture
def put(_dynamodb):
    """`put(item)` puts an item into the table."""
    return lambda item: _dynamodb.put_item(TableName="ledger", Item=wire(item))


@pytest.fixture
def kept(_dynamodb):
    """`kept(key)` is for how long an item is kept from now (seconds)."""

    def of(key):
        item = plain(_dynamodb.get_item(TableName="ledger", Key=wire(key))["Item"])
        return pytest.approx(item["expires_at"] - time.time(), abs=60)

    return of


# Images.


def image(number=1):
    return ledger.image(app=APP, digest=push(number).digest)


def note_image(new, seen):
    return ledger.put_image(push=push(), new=new, seen=seen)


def test_an_images_record_is_read_with_its_version_and_expires(kept):
    assert image() is None
    new = KnownImage("push-1", push().time, {"latest": "push-1"}, ["v1"])
    assert note_image(new, None)
    assert image() == KnownImage("push-1", push().time, {"latest": "push-1"}, ["v1"], version=1)
    assert image(2) is None
    assert kept(ledger_keys.image(APP, push().digest)) == RETENTION_SECONDS


def test_of_two_who_note_something_of_an_image_at_once_one_has_to_look_again():
    assert note_image(KnownImage("push-1", ""), None)
    assert not note_image(KnownImage("push-2", ""), None)
    seen = image()
    assert note_image(KnownImage("push-2", "", version=seen.version), seen)
    assert not note_image(KnownImage("push-3", "", version=seen.version), seen)
    assert image().deployment == "push-2"


# Pushes that are written down and not deployed.


def record_push(seen, number=2):
    return ledger.record_push(push=push(number), seen=seen, reason="The app is stopped.")


def test_a_push_is_recorded_while_nothing_has_changed_since(kept):
    seen = serve()
    assert record_push(seen)
    (found,) = ledger.deployments(app=APP)
    assert (found.outcome, found.reason) == ("recorded", "The app is stopped.")
    assert (found.tag, found.digest) == ("latest", push(2).digest)
    assert found.ended_at == pytest.approx(time.time(), abs=60)
    assert kept(ledger_keys.deployment(APP, ledger_keys.name_of_push(push(2)))) == RETENTION_SECONDS
    assert record_push(seen)


def test_a_push_is_not_recorded_once_something_else_serves_or_it_has_another_outcome():
    seen = serve()
    serve(2)
    assert not record_push(seen)
    assert ledger.deployments(app=APP) == []
    ledger.record(push=push(3), outcome="failed")
    assert not record_push(ledger.current(app=APP), 3)
    assert [each.outcome for each in ledger.deployments(app=APP)] == ["failed"]


def test_a_push_that_is_recorded_makes_room_for_the_next_deployment_of_its_repository():
    assert ledger.note_under_way(push=push(2), most=1)
    assert not ledger.note_under_way(push=push(3), most=1)
    record_push(serve())
    assert ledger.note_under_way(push=push(3), most=1)


# The app of a push.


def test_the_app_of_a_push_is_kept_for_90_days(kept):
    assert ledger.name_app(push=push()) == APP
    assert kept(ledger_keys.app_of_push(push())) == RETENTION_SECONDS


# What people asked for.


def ask(name, **facts):
    return ledger.note_operation(app=APP, name=name, **facts)


def test_a_request_that_comes_twice_is_the_first_one(kept):
    assert ask("1", action="stop", by="ann", at="2026-11-20T09:15:01Z")["by"] == "ann"
    again = ask("1", action="start", by="bob", at="2026-11-20T09:15:02Z", reason="why not")
    assert (again["action"], again["by"], again["at"]) == ("stop", "ann", "2026-11-20T09:15:01Z")
    assert again["reason"] == "why not"
    assert "answer" not in again
    assert kept(ledger_keys.operation(APP, "1")) == RETENTION_SECONDS
    ledger.answer_operation(app=APP, name="1", answer={"status": "stopped"})
    assert ask("1", action="stop")["answer"] == {"status": "stopped"}


def test_requests_are_listed_by_app_newest_first():
    for name, at in (
        ("b", "2026-11-20T09:15:01Z"),
        ("a", "2026-11-20T09:15:03Z"),
        ("c", "2026-11-20T09:15:02Z"),
    ):
        ask(name, action="restart", at=at)
    serve()
    found = ledger.operations(app=APP)
    assert [each["at"][-3:] for each in found] == ["03Z", "02Z", "01Z"]
    assert ledger.operations(app="other") == []


# All apps at once.


def admit(number, app=APP):
    """A push that is on the app's list of open ones, and is its last one."""
    sequence = ledger.next_in_order(push=push(number, app), now=time.time()).number
    ledger.claim(push=push(number, app), execution=f"{number}", sequence=sequence)
    ledger.note_in_order(push=push(number, app), sequence=sequence)


def close(app=APP):
    ledger.close(app=app, deployments=ledger.open_deployments(app=app))


def names(records):
    return sorted(each.deployment for each in records.deployments)


def test_the_overview_has_every_app_with_what_serves_and_its_last_push(monkeypatch):
    for app in ("web", APP):
        for number in (1, 2):
            admit(number, app)
    close()
    serve(2)
    close("web")
    admit(3, "web")
    serve(1, "web")
    found = ledger.overview()
    assert [each.app for each in found] == [APP, "web"]
    assert [names(each) for each in found] == [["push-2"], ["push-3"]]
    assert [each.current.deployment for each in found] == ["push-2", "push-1"]


def test_of_an_app_that_is_down_the_overview_has_its_last_ten_deployments():
    for number in range(1, 13):
        admit(number)
    close()
    ledger.list_app(app=APP)
    (found,) = ledger.overview()
    assert found.current is None
    assert len(found.deployments) == 10
    assert "push-12" in names(found)


def test_of_an_app_of_which_no_last_push_is_noted_the_overview_looks_for_it():
    ledger.claim(push=push(), execution="1", sequence=1)
    serve()
    ledger.list_app(app=APP)
    (found,) = ledger.overview()
    assert names(found) == ["push-1"]


def test_the_overview_reads_again_what_was_pushed_or_continues_and_takes_the_rest_from_before(monkeypatch):
    for app in (APP, "pushed", "goes-on"):
        admit(1, app)
        serve(1, app)
    for app in (APP, "pushed"):
        close(app)
    before = ledger.overview()
    admit(2, "pushed")
    ledger.record(push=push(1, "goes-on"), outcome="failed", reason="exit code 1")
    asked = []
    items = overview._items
    monkeypatch.setattr(overview, "_items", lambda keys: asked.extend(keys) or items(keys))
    found = {each.app: each for each in ledger.overview(before=before)}
    assert {each["pk"] for each in asked} == {"app#pushed", "app#goes-on"}
    assert names(found["pushed"]) == ["push-2"]
    assert [each.outcome for each in found["goes-on"].deployments] == ["failed"]
    assert list(found.values()) == ledger.overview()


@pytest.fixture
def answers(monkeypatch):
    """How DynamoDB answers BatchGetItem: the number of keys of each call, and what `of` makes of the answer."""
    calls = []
    send = BaseClient._make_api_call

    def call(client, operation, parameters):
        answer = send(client, operation, parameters)
        if operation == "BatchGetItem":
            keys = parameters["RequestItems"]["ledger"]["Keys"]
            calls.append(len(keys))
            # What was written just now is to be seen.
            assert parameters["RequestItems"]["ledger"]["ConsistentRead"]
            if calls.of(len(calls)):
                answer["UnprocessedKeys"] = parameters["RequestItems"]
        return answer

    class Calls(list):
        of = staticmethod(lambda number: False)

    calls = Calls()
    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return calls


@pytest.mark.parametrize(("open_ones", "calls"), [(99, [100]), (100, [100, 1])])
def test_the_overview_reads_a_hundred_items_at_a_time(answers, put, open_ones, calls):
    """For each app: what serves, the last push, and other open deployments."""
    names = {ledger_keys.name_of_push(push(number)) for number in range(open_ones)}
    put(ledger_keys.order(APP) | {"listed": ledger_keys.APPS, "open": names})
    assert [each.app for each in ledger.overview()] == [APP]
    assert answers == calls


def test_keys_that_dynamodb_leaves_out_are_asked_for_again_ten_times(answers):
    admit(1)
    serve()
    answers.of = lambda number: number < 10
    assert [each.app for each in ledger.overview()] == [APP]
    assert len(answers) == 10
    answers.of = lambda number: True
    with pytest.raises(ThrottledError):
        ledger.overview()
    assert len(answers) == 20


# Superseded pushes that a mail has to name.


def unmailed():
    return ledger.unmailed(app=APP)


def test_a_push_that_a_mail_has_to_name_is_listed_with_its_outcome_until_it_was_named():
    for number in (2, 1):
        ledger.add_unmailed(push=push(number))
    assert unmailed() == []
    for number in (2, 1):
        ledger.record(push=push(number), outcome="superseded")
    first, second = unmailed()
    assert (first.deployment, second.deployment) == ("push-1", "push-2")
    ledger.remove_unmailed(app=APP, deployments=[])
    assert unmailed() == [first, second]
    ledger.remove_unmailed(app=APP, deployments=[first])
    assert unmailed() == [second]


# The sweep.


def test_when_the_last_sweep_began_is_known():
    assert ledger.last_sweep() == 0
    ledger.begin_sweep(sweep="1", now=7, until=9)
    assert ledger.last_sweep() == 7


# Refusals other than failed conditions.


@pytest.mark.parametrize(
    "call",
    [
        lambda serving: ledger.record_push(push=push(), seen=serving, reason=""),
        lambda serving: ledger.put_image(push=push(), new=KnownImage("", ""), seen=None),
        lambda serving: ledger.unlist_app(app=APP),
        lambda serving: ledger.operations(app=APP),
        lambda serving: ledger.overview(),
    ],
)
def test_another_refusal_is_raised(monkeypatch, call):
    serving = serve()
    monkeypatch.setattr(table, "_given", "no-such-table")
    with pytest.raises(AwsRefusedError):
        call(serving)
