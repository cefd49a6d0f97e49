"""The link to the dashboard at the end of mails."""

import pytest
from deployer.settings import settings

from tests.workflow.conftest import stopped

URL = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/portcall"


@pytest.fixture
def dashboard(monkeypatch):
    """The stack has one."""
    monkeypatch.setenv("DASHBOARD_URL", URL)
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_the_mail_about_a_live_app_has_it(deploy, world, push, dashboard):
    deploy(push(1))
    assert world.mails[-1]["text"].endswith(f"\nDeployment: push-1\n\nAll apps: {URL}\n")


def test_the_mail_about_a_failed_push_has_it_after_the_log(deploy, world, push, dashboard):
    world.states = [stopped(exit_code=1, stop_code="EssentialContainerExited")]
    world.log = ["the last words"]
    deploy(push(1))
    assert world.mails[-1]["text"].endswith(f"\n    the last words\n\nAll apps: {URL}\n")


def test_there_is_none_without_a_dashboard(deploy, world, push):
    deploy(push(1))
    assert "All apps" not in world.mails[-1]["text"]
