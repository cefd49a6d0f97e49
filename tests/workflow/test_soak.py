"""An hour of traffic leaves nothing behind that has no reason; `python -m bench.soak` plays more of them."""

import dataclasses

import pytest

from tests.explorer.game import game, stage
from tests.explorer.soak import LARGEST_ITEM_BYTES, Inventory, Soak, SoakSetting, leaks, ninety_days_later

SHARE = 0.5


@pytest.fixture(scope="module", autouse=True)
def _stage():
    with stage():
        yield


@pytest.mark.parametrize(
    "setting", [SoakSetting(False, True), SoakSetting(True, True)], ids=lambda each: each.name
)
def test_after_an_hour_each_promise_holds_and_after_ninety_days_what_serves_still_does(setting):
    with game(setting) as played:
        ((found, broken),) = Soak(played, seed=1).hours(1, SHARE)
        before, after, changed = ninety_days_later(played)
    assert (broken, changed) == ([], [])
    assert leaks([found, before, after]) == []
    assert found.pushes > 20
    assert found.running > 0
    assert after.expiring < before.expiring


FOUND = Inventory(
    1, pushes=9, deployments=9, apps=3, calls=99, mails=9, running=2, given_up=1, tasks=2, addresses=2,
    executions=0, stable_urls=3, groups=1, unused_groups=0, revisions=9, staying=8, expiring=40, expired=0,
    largest=900, held=30,
)  # fmt: skip


@pytest.mark.parametrize(
    "too_much",
    [
        {"tasks": 3},
        {"addresses": 3},
        {"executions": 1},
        {"stable_urls": 4},
        {"unused_groups": 2},
        {"revisions": 10},
        {"staying": 19},
        {"expired": 1},
        {"largest": LARGEST_ITEM_BYTES + 1},
        {"held": 31},
    ],
    ids=lambda each: next(iter(each)),
)
def test_each_kind_of_leak_is_reported(too_much):
    assert leaks([FOUND]) == []
    (leak,) = leaks([FOUND, dataclasses.replace(FOUND, hour=2, **too_much)])
    assert leak.startswith("hour 2: ")
