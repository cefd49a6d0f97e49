"""Many pushes at once, in simulated time, within the rates that AWS documents."""

from collections.abc import Iterator

import pytest
from deployer.actions.sweep_facts import Account
from deployer.aws import ledger_keys as keys

from bench.rates_and_prices import quotas
from bench.rates_and_prices.quotas import Bucket
from bench.rates_and_prices.rates import Tokens
from bench.simulated import bursts
from bench.simulated.bursts import Burst
from tests.explorer.game import REPOSITORY, Setting, game, stage


@pytest.fixture(autouse=True)
def _stage() -> Iterator[None]:
    with stage():
        yield


def test_a_push_that_was_superseded_is_closed_at_once():
    """Each step that reads the open ones would read hundreds after a burst, until the next sweep."""
    with game(Setting()) as played:
        for _ in range(12):
            played.push()
        played.clock.run()
        order = played.cloud.table.items[keys.APP + REPOSITORY, "order"]
        superseded = {
            sk.rpartition("#")[2]
            for (_, sk), item in played.cloud.table.items.items()
            if sk.startswith(keys.DEPLOYMENT) and item["outcome"] == "superseded"
        }
        open_ones = {name.rpartition("#")[2] for name in order.get("open", ())}
    assert len(superseded) > 1
    assert not open_ones & superseded


def test_the_facts_of_the_account_are_computed_once_per_sweep():
    """It is asked of each app: worked out each time, a sweep of n apps would take n times n steps."""
    account = Account(
        since=0, previous=0, listed_at=0, listed={"shop:pr-7"}, slots={True: {"shop:pr-7"}, False: {"web"}}
    )
    assert account.announced is account.announced == {"shop"}
    assert account.with_slot is account.with_slot == {"shop:pr-7", "web"}


def test_a_bucket_gives_its_burst_at_once_and_then_so_many_a_second():
    tokens = Tokens(Bucket("a bucket", ("a.call",), burst=3, per_second=2, source=""), now=100.0)
    given = []
    for tenth in range(31):
        now = 100 + tenth / 10
        while not tokens.is_empty(now):
            tokens.take()
            given.append(tenth)
    assert given == [0, 0, 0, 5, 10, 15, 20, 25, 30]


def test_each_bucket_says_where_its_rate_is_documented():
    assert all(each.source.startswith("https://docs.aws.amazon.com/") for each in quotas.BUCKETS)
    assert all(each.burst >= each.per_second for each in quotas.BUCKETS)


@pytest.mark.parametrize(
    ("pushes", "apps", "seconds"),
    [
        (1, 1, 0),
        (20, 20, 1),
        # ECR takes ten at once and then ten a second; ECS registers 20 at once and then one a second.
        (50, 50, 30),
        (1000, 1000, 980),
        # The last version of each comes from second 14 on: no token is left over from before.
        (200, 50, 44.1),
        (1000, 1, 99),
    ],
)
def test_the_quotas_set_the_shortest_time_of_a_burst(pushes, apps, seconds):
    assert Burst(pushes, apps).quota_seconds() == pytest.approx(seconds)


@pytest.mark.parametrize(("pushes", "apps", "new_account"), [(40, 40, False), (90, 3, False), (60, 30, True)])
def test_within_the_quotas_each_promise_holds_and_the_quota_is_used(monkeypatch, pushes, apps, new_account):
    monkeypatch.setattr("tests.explorer.aws.A_CALL", bursts.A_CALL)
    monkeypatch.setattr("tests.explorer.aws.STARTS", bursts.STARTS)
    alone = bursts.play(Burst(1, 1))["drained"]
    found = bursts.play(Burst(pushes, apps, new_account=new_account))
    assert found["broken"] == []
    assert sum(found["outcomes"].values()) == pushes
    assert found["functions at once"] <= (10 if new_account else 1000)
    if pushes == apps:
        assert found["throttled"]["ECS task definitions"]
        assert found["drained"] < bursts.ALLOWED * (found["quota"] + alone)


def test_if_vcpus_are_short_every_push_is_deployed_or_superseded(monkeypatch):
    """Superseded deployments that wait leave their vCPUs and their repository's places to the newest."""
    monkeypatch.setattr("tests.explorer.aws.A_CALL", bursts.A_CALL)
    monkeypatch.setattr("tests.explorer.aws.STARTS", bursts.STARTS)
    found = bursts.play(Burst(150, 2))
    assert found["broken"] == []
    assert found["retries"]["RunTask"]
    assert set(found["outcomes"]) == {"deployed", "superseded"}


def test_a_step_that_takes_longer_than_its_function_may_is_seen(monkeypatch):
    """Otherwise a burst that no function could handle in time would look fine."""
    monkeypatch.setattr("tests.explorer.aws.A_CALL", 4.0)
    found = bursts.play(Burst(1, 1))
    assert found["retries"]["AdmitPush"]
