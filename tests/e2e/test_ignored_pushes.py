"""Events that must start nothing: everything but a tagged image of a watched repository."""

import uuid

from tests.e2e.conftest import FIXTURES, Portcall, docker, get
from tests.local.conftest import HOST_ARCHITECTURE, eventually

SERVE = ["httpd", "-f", "-p", "3000"]


def let_events_pass(portcall: Portcall) -> None:
    """Events come in order: what was to begin before this push has begun once it is live."""
    portcall.repository("passing-app")
    digest = portcall.by_hand.push(
        "passing-app", ["sh", "-c", f": {uuid.uuid4()}; {' '.join(SERVE)}"], tag="latest"
    )
    assert portcall.mail("passing-app", digest).attributes["outcome"] == "deployed"


def test_pushes_without_a_tag_and_to_other_repositories_start_nothing(portcall: Portcall) -> None:
    for name in ("child-app", "app-elsewhere"):
        portcall.repository(name)
    child = portcall.by_hand.push("child-app", SERVE)
    portcall.by_hand.push("app-elsewhere", SERVE, tag="latest")
    let_events_pass(portcall)
    for name in ("child-app", "app-elsewhere"):
        assert portcall.deployments.of(name) == []
        assert portcall.mails(name) == []
        assert portcall.containers(name) == []
    # Once a tagged index names the child, there is one deployment: of the index.
    index = portcall.by_hand.push_index("child-app", {HOST_ARCHITECTURE: child}, "latest")
    assert portcall.mail("child-app", index).attributes["outcome"] == "deployed"
    assert len(portcall.deployments.of("child-app")) == 1


def test_taking_a_tag_away_starts_nothing(portcall: Portcall) -> None:
    portcall.repository("deleted-app")
    digest = portcall.by_hand.push("deleted-app", SERVE, tag="latest")
    assert portcall.mail("deleted-app", digest).attributes["outcome"] == "deployed"
    ecr = portcall.client("ecr")
    ecr.batch_delete_image(repositoryName="deleted-app", imageIds=[{"imageTag": "latest"}])
    let_events_pass(portcall)
    assert len(portcall.deployments.of("deleted-app")) == 1
    assert len(portcall.mails("deleted-app")) == 1


def test_a_tag_that_docker_pushes_again_unchanged_does_no_harm(portcall: Portcall) -> None:
    digest = portcall.push(FIXTURES / "plain-http", "again-app", VERSION="again")
    portcall.mail("again-app", digest)
    docker("push", "--quiet", portcall.image("again-app"))
    let_events_pass(portcall)
    assert {each["status"] for each in portcall.deployments.ended("again-app", digest)} == {"SUCCEEDED"}
    eventually(lambda: len(portcall.containers("again-app")) == 1)
    (app,) = portcall.apps("again-app")
    assert (app["digest"], app["state"]) == (digest, "RUNNING")
    assert get(app["url"]) == "plain-http again"
