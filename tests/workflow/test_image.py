"""The image decides how it runs."""

import time
from types import SimpleNamespace

import pytest
from deployer.aws import ledger, task_states
from deployer.domain.task import Task
from deployer.settings import settings
from deployer.steps import check_health

from tests.workflow.conftest import stopped

HELM = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {
        "mediaType": "application/vnd.cncf.helm.config.v1+json",
        "size": 1,
        "digest": f"sha256:{'e' * 64}",
    },
    "layers": [],
}


def current():
    return ledger.current(app="flask-app")


def container(world):
    (container,) = world.revisions[-1]["containerDefinitions"]
    return container


def test_the_image_that_runs_is_named_by_digest_and_never_by_tag(deploy, world, push):
    deploy(push(1))
    assert container(world)["image"].endswith(f"/flask-app@{push(1)['detail']['image-digest']}")


def test_the_port_is_the_one_that_the_image_exposes(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"80/tcp": {}}}
    deploy(push(1))
    assert container(world)["portMappings"] == [{"containerPort": 80, "protocol": "tcp"}]
    assert current().url == "http://203.0.113.7/"
    (group,) = world.opened
    assert (group["name"], group["ports"]) == ("Portcall portcall tcp 80", [80])
    assert world.tasks[-1]["security_group"] == "sg-Portcall-portcall-tcp-80"


WORKER = {"Cmd": ["app"], "ExposedPorts": {"80/tcp": {}}, "Labels": {"portcall.health": "none"}}


def test_a_worker_is_live_once_it_has_run_for_a_while_and_no_port_of_it_is_open(
    deploy, world, push, monkeypatch
):
    monkeypatch.setattr(check_health, "WORKER_SECONDS", 0.0)
    world.configuration = WORKER
    world.answers = None
    assert deploy(push(1)).status == "SUCCEEDED"
    assert container(world)["portMappings"] == []
    assert container(world)["environment"] == []
    assert world.opened[0]["ports"] == []
    (news,) = world.mails
    assert news["subject"] == "flask-app is live: it runs, and listens on no port"
    assert news["text"].startswith("flask-app is live: it runs.\n")
    assert "http" not in news["text"]
    assert (news["document"]["outcome"], news["document"]["url"]) == ("deployed", "")
    assert (current().url, current().task) == ("", world.tasks and next(iter(world.started.values())))


def end_newest_task(world):
    arn = list(world.started.values())[-1]
    world.dead[arn] = stopped(arn, exit_code=1)
    task_states.store_task(task=world.dead[arn])


def test_a_worker_that_ends_while_it_is_watched_is_not_a_worker_that_runs(deploy, world, push, monkeypatch):
    clock = SimpleNamespace(time=time.time, sleep=lambda seconds: end_newest_task(world))
    monkeypatch.setattr(check_health, "time", clock)
    world.configuration = WORKER
    execution = deploy(push(1))
    assert (execution.status, execution.error) == ("FAILED", "TaskStoppedError")
    assert "exit code 1" in world.mails[0]["subject"]


def test_a_worker_replaces_a_worker_and_is_what_still_runs_when_the_next_one_fails(
    deploy, world, push, monkeypatch
):
    monkeypatch.setattr(check_health, "WORKER_SECONDS", 0.0)
    world.configuration = WORKER
    deploy(push(1))
    deploy(push(2))
    first, second = world.started.values()
    assert world.live() == {second}
    world.faults["addresses"] = [lambda: end_newest_task(world)]
    assert deploy(push(3)).error == "TaskStoppedError"
    assert "The previous version is still running." in world.mails[-1]["text"]
    assert world.live() == {second}
    assert first in world.stopped


def test_a_worker_has_no_stable_url(deploy, world, push, monkeypatch):
    monkeypatch.setattr(check_health, "WORKER_SECONDS", 0.0)
    monkeypatch.setenv("STABLE_URL", "on")
    settings.cache_clear()
    world.configuration = WORKER
    assert deploy(push(1)).status == "SUCCEEDED"
    settings.cache_clear()
    assert world.apis == {}
    assert "It has no stable URL: it listens on no port." in world.mails[0]["text"]


def test_a_port_and_no_port_at_all_are_refused_together(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.health": "none", "portcall.port": "80"}}
    assert deploy(push(1)).error == "BadLabelError"
    assert "Remove one of the two" in world.mails[0]["text"]


def test_the_installations_own_port_is_one_like_any_other(deploy, world, push, monkeypatch):
    """Or changing ContainerPort would close it under the apps that run."""
    world.configuration = {"Cmd": ["app"]}
    deploy(push(1))
    (group,) = world.opened
    assert (group["name"], group["ports"]) == ("Portcall portcall tcp 3000", [3000])


def test_the_name_of_a_group_never_begins_as_ec2_does_not_let_it(deploy, world, push, monkeypatch):
    monkeypatch.setenv("STACK", "sg-" + "s" * 125)
    settings.cache_clear()
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"80/tcp": {}, "81/tcp": {}}}
    deploy(push(1))
    settings.cache_clear()
    assert not world.opened[0]["name"].startswith("sg-")
    # Names of executions have at most 80 characters.
    assert len(world.opened[0]["name"]) + 80 - len("push-1") <= 255


def test_of_several_ports_the_lowest_that_answers_is_taken_and_the_others_are_closed(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"9090/tcp": {}, "8080/tcp": {}, "8000/tcp": {}}}
    world.listens = [8080, 9090]
    deploy(push(1))
    assert world.opened[0]["ports"] == [8000, 8080, 9090]
    assert "push-1" in world.opened[0]["name"]
    assert current().url == "http://203.0.113.7:8080/"
    assert world.closed == [8000, 9090]


def test_the_mail_says_which_of_several_ports_was_chosen(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"80/tcp": {}}, "Env": ["PORT=8080"]}
    world.listens = [80]
    deploy(push(1))
    assert (
        "It answered on port 80, which EXPOSE names. The other named ports are closed now: 8080 (ENV PORT)."
        in world.mails[0]["text"]
    )
    assert world.closed == [8080]


def test_the_mail_says_nothing_of_ports_where_there_was_no_choice(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"80/tcp": {}}}
    deploy(push(1))
    assert "named by" not in world.mails[0]["text"]


def test_a_port_that_the_app_redirects_to_stays_open(deploy, world, push, stop):
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"80/tcp": {}, "443/tcp": {}, "8080/tcp": {}}}
    world.answers, world.location = 301, "https://203.0.113.7/"
    deploy(push(1))
    assert world.closed == [8080]
    assert "It answered 301 on / and redirects to https://203.0.113.7/" in world.mails[0]["text"]
    stop()
    assert world.opened[-1]["ports"] == [80, 443]


def test_an_app_that_speaks_https_is_live_at_an_https_url(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"8443/tcp": {}}}
    world.speaks_tls = True
    deploy(push(1))
    assert current().url == "https://203.0.113.7:8443/"


def test_an_answer_that_is_not_a_success_is_reported(deploy, world, push):
    world.answers = 404
    deploy(push(1))
    assert world.mails[0]["subject"] == "flask-app is live: http://203.0.113.7:3000/"
    assert "It answered 404 (not found) on /." in world.mails[0]["text"]


def test_a_restart_starts_from_what_was_read_before(deploy, world, push, stop):
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"9090/tcp": {}, "8080/tcp": {}}}
    world.listens = [9090]
    deploy(push(1))
    world.configuration = {"nothing": "is left of it"}
    stop()
    assert current().url.endswith(":9090/")
    assert world.opened[-1]["ports"] == [9090]
    assert len(world.revisions) == 1
    assert len(world.mails) == 2


def test_the_labels_decide_the_size_and_the_environment(deploy, world, push):
    labels = {"portcall.cpu": "1024", "portcall.env.COLOUR": "blue", "portcall.capacity": "spot"}
    world.configuration = {"Cmd": ["app"], "Labels": labels}
    deploy(push(1))
    assert (world.revisions[-1]["cpu"], world.revisions[-1]["memory"]) == ("1024", "2048")
    assert {"name": "COLOUR", "value": "blue"} in container(world)["environment"]
    assert world.tasks[-1]["capacity_provider"] == "FARGATE_SPOT"


def test_an_app_that_asks_for_its_port_is_reported(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"8080/tcp": {}}}
    deploy(push(1))
    assert container(world)["environment"] == [{"name": "PORT", "value": "8080"}]
    world.configuration |= {"Labels": {"portcall.env.PORT": "9"}}
    deploy(push(2))
    assert container(world)["environment"] == [{"name": "PORT", "value": "9"}]


def test_parameters_are_given_as_references(deploy, world, push):
    arn = "arn:aws:ssm:eu-west-1:111122223333:parameter/portcall/flask-app/TOKEN"
    world.parameters = {arn}
    deploy(push(1))
    assert container(world)["secrets"] == [{"name": "TOKEN", "valueFrom": arn}]


def test_a_label_that_is_wrong_is_reported_and_nothing_is_run(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.prot": "80"}}
    assert deploy(push(1)).status == "FAILED"
    (news,) = world.mails
    assert "did you mean portcall.port?" in news["text"]
    assert not world.started
    assert not world.revisions


def test_an_image_that_cannot_run_is_refused_and_the_previous_version_serves(deploy, world, push):
    deploy(push(1))
    world.configuration = {}
    assert deploy(push(2)).status == "FAILED"
    assert "no start command" in world.mails[-1]["text"]
    assert f"still running at {current().url}" in world.mails[-1]["text"]
    assert len(world.started) == 1


def test_an_artifact_that_is_not_an_app_is_ignored_without_a_mail(deploy, world, push):
    chart = push(1)
    world.manifests[chart["detail"]["image-digest"]] = HELM
    execution = deploy(chart)
    assert (execution.status, execution.states[-1]) == ("SUCCEEDED", "IgnorePush")
    assert not world.revisions
    assert not world.mails
    (known,) = ledger.deployments(app="flask-app")
    assert known.outcome == "ignored"


def test_an_artifact_that_is_not_an_app_supersedes_no_app(deploy, world, push):
    chart = push(2)
    world.manifests[chart["detail"]["image-digest"]] = HELM
    chart["detail"]["image-tag"] = "chart"
    world.faults["is_newest"] = [lambda: deploy(chart)]
    assert deploy(push(1)).states[-1] == "PublishUrl"
    assert current().deployment == "push-1"


def test_another_image_than_was_pushed_is_never_called_live(deploy, world, push):
    world.states = [
        Task("", "RUNNING", "RUNNING", 3, interface="eni-1", digest=f"sha256:{'f' * 64}"),
    ]
    assert deploy(push(1)).status == "FAILED"
    assert "the running image is not the pushed one" in world.mails[0]["subject"]
    assert world.live() == set()


@pytest.mark.parametrize("health", ["tcp", "/healthz"])
def test_the_image_says_how_it_is_asked(deploy, world, push, health):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.health": health, "portcall.port": "6379"}}
    deploy(push(1))
    assert current().url == ("tcp://203.0.113.7:6379" if health == "tcp" else "http://203.0.113.7:6379/")


def test_a_failure_speaks_of_the_images_own_port(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"8080/tcp": {}}}
    world.answers = None
    deploy(push(1))
    assert "port 8080" in world.mails[0]["text"]


def test_a_task_that_stops_is_reported_with_its_own_memory(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.memory": "1024"}}
    world.states = [stopped(stop_code="EssentialContainerExited", exit_code=137, container_reason="OutOfMemoryError: killed")]  # fmt: skip
    deploy(push(1))
    assert "more than 1024 MiB" in world.mails[0]["text"]
