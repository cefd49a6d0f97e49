"""The arithmetic of bench/sweep.py and bench/fleet.py, by hand."""

import pytest

from bench import fleet
from bench.rates_and_prices import prices, quotas
from bench.simulated import sweeps
from tests import templates


def test_a_line_is_a_constant_and_what_each_adds():
    found = sweeps.line([(1, 14.0), (10, 50.0), (101, 414.0)])
    assert (found.constant, found.each) == pytest.approx((10, 4))
    assert found.at(1000) == pytest.approx(4010)


def test_the_monthly_cost_of_sweeps_follows_from_their_calls_and_interval():
    calls = {
        "dynamodb.get_item": 2000,
        "dynamodb.query": 1000,
        "dynamodb.update_item": 2,
        "ecr.describe_images": 1000,
    }
    # 8,760 sweeps a month of 40.02 seconds at 1 GB, 3,000 reads and two writes each.
    by_hand = 8760 * (40.02 * 0.0000133334 + 3000 * 0.125e-6 + 2 * 0.625e-6 + 0.2e-6)
    assert sweeps.cost(calls, 5) == pytest.approx(by_hand)
    assert sweeps.cost(calls, 60) == pytest.approx(by_hand / 12)


def test_how_far_a_sweep_reaches():
    """A call takes 10 ms: four an app take 40 ms, one of them before the first app is handled."""
    rows = [
        {"apps": apps, "well": {"calls": {"ecr.describe_images": apps, "dynamodb.get_item": 3 * apps}}}
        for apps in (1, 100)
    ]
    assert list(sweeps.reach(rows).values()) == pytest.approx([6000, 6000, 24000], abs=1)


def test_an_app_costs_its_vcpu_memory_and_address():
    assert pytest.approx(730 * (0.25 * 0.03238 + 0.5 * 0.00356 + 0.005)) == prices.SMALLEST_APP_MONTH


def test_a_deployment_costs_its_transitions_invocations_calls_and_seconds():
    counted = {
        "transitions": 15,
        "invocations": 10,
        "calls": {"dynamodb.get_item": 8, "dynamodb.transact_write_items": 1, "sns.publish": 1, "app.ask": 1},
    }
    seconds = 10 * 0.5 + 11 * 0.01 + 1.0
    by_hand = 15 * 0.000025 + 10 * 0.2e-6 + seconds * 0.0000133334 + 8 * 0.125e-6 + 4 * 0.625e-6 + 0.00002
    assert fleet.deployment_cost(counted) == pytest.approx(by_hand)


def test_a_fleet_costs_its_apps_deployments_and_sweeps():
    costs = fleet.month(2001, 1000, 2.0, 0.0005, sweeps.Line(0.1, 0.008))
    assert costs["the apps themselves"] == pytest.approx(2001 * prices.SMALLEST_APP_MONTH)
    assert costs["deployments"] == pytest.approx(2001 * 60 * 0.0005)
    assert costs["sweeps"] == pytest.approx(3 * 0.1 + 2001 * 0.008)


def test_the_lowest_cap_comes_first_and_by_default_it_is_fargates():
    found = fleet.caps({"apps that one sweep handles": 6000, "repositories that can be listed at all": 24000})
    assert [each.apps for each in found] == sorted(each.apps for each in found)
    # Twelve apps whose two versions of a quarter of a vCPU run side by side.
    assert (found[0].what, found[0].apps) == (
        "Fargate's vCPUs, 6 by default, with two versions of each app for a moment",
        12,
    )
    assert quotas.VCPUS == 2 * 12 * quotas.APP_VCPUS


def test_the_largest_cap_of_the_template_is_the_models():
    assert templates.template()["Parameters"]["MaxApps"]["MaxValue"] == fleet.MAX_APPS


def test_the_functions_of_the_template_have_the_memory_that_is_priced():
    assert templates.template()["Globals"]["Function"]["MemorySize"] == 1024 * prices.MEMORY_GB
