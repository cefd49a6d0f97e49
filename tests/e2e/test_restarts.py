"""An app that stops unexpectedly is restarted, but not for ever."""

import pytest

from tests.e2e.conftest import FIXTURES, Portcall, docker, get
from tests.local.conftest import eventually

pytestmark = pytest.mark.long(15)


def test_an_app_whose_container_dies_is_live_again_with_a_mail_that_says_so(portcall: Portcall) -> None:
    digest = portcall.push(FIXTURES / "plain-http", "mortal-app", VERSION="mortal")
    portcall.mail("mortal-app", digest)
    eventually(lambda: len(portcall.containers("mortal-app")) == 1, every=0.2)
    (before,) = portcall.containers("mortal-app")
    docker("kill", before)
    eventually(lambda: len(portcall.mails("mortal-app", digest)) == 2, within=90, every=0.1)
    mail = portcall.mails("mortal-app", digest)[-1]
    assert mail.attributes == {"app": "mortal-app", "outcome": "deployed"}
    assert get(mail.text.splitlines()[0]) == "plain-http mortal"
    eventually(lambda: len(portcall.containers("mortal-app")) == 1, every=0.2)
    assert portcall.containers("mortal-app") != [before]


def test_an_app_that_keeps_crashing_is_given_up_with_its_last_words(portcall: Portcall) -> None:
    """Whether it is asked within the second that it serves is up to the machine; the end is the same."""
    digest = portcall.push(FIXTURES / "crashes-after-start", "crashing-app")
    eventually(lambda: portcall.mails("crashing-app", digest), every=0.1)
    first = portcall.mails("crashing-app", digest)[0]
    (pushed, *_) = portcall.deployments.ended("crashing-app", digest)
    expected = {"deployed": "SUCCEEDED", "failed": "FAILED"}
    assert pushed["status"] == expected[first.attributes["outcome"]]
    down = [first]
    if first.attributes["outcome"] == "deployed":
        down = eventually(
            lambda: [mail for mail in portcall.mails("crashing-app", digest) if "down" in mail.subject],
        )
    else:
        assert first.subject == "crashing-app failed to start: exit code 1"
    assert len(down) == 1
    assert "error: lost the connection to the queue" in down[0].text
    eventually(lambda: not portcall.containers("crashing-app"), every=0.2)


def test_an_app_whose_spot_task_is_taken_away_is_live_again_on_spot(portcall: Portcall) -> None:
    portcall.repository("spot-app")
    command = ["httpd", "-f", "-p", "3000"]
    digest = portcall.by_hand.push("spot-app", command, tag="latest", Labels={"portcall.capacity": "spot"})
    mail = portcall.mail("spot-app", digest)
    assert mail.attributes["outcome"] == "deployed", mail.text
    (before,) = portcall.apps("spot-app")
    ecs, cluster = portcall.client("ecs"), before["task_arn"].split("/")[1]
    # The embedded cloud treats a stop with this reason as a Spot interruption.
    ecs.stop_task(cluster=cluster, task=before["task_arn"], reason="Your Spot Task was interrupted.")
    mail = eventually(lambda: portcall.mails("spot-app", digest)[1:], within=90, every=0.1)[-1]
    assert mail.subject.startswith("spot-app is live again: ")
    assert "Your Spot Task was interrupted" in mail.text
    (after,) = eventually(lambda: [app for app in portcall.apps("spot-app") if app["url"]], every=0.2)
    (task,) = ecs.describe_tasks(cluster=cluster, tasks=[after["task_arn"]])["tasks"]
    assert task["capacityProviderName"] == "FARGATE_SPOT"
    assert after["task_arn"] != before["task_arn"]
