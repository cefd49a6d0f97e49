"""`portcall plan`: what a push would do, compared with the template's and the workflow's rules."""

import dataclasses
import json
import subprocess
from types import SimpleNamespace

import pytest
from deployer.aws import ecr, ledger
from deployer.domain import limits
from deployer.domain.deployment import Stop
from deployer.domain.errors import AccessDeniedError
from deployer.domain.fargate import Size

from portcall.core import local_images, plan, stack, stack_rules
from portcall.core.doctor import image
from portcall.core.doctor.judgement import Result
from portcall.core.price import a_month
from portcall.core.trouble import Trouble
from tests.templates import template
from tests.unit.fake_install import clock as clock
from tests.unit.fake_install import digest, go_live, portcall
from tests.unit.fake_install import fake_install as fake_install
from tests.unit.test_terminal import HOSTILE, OBEYED

DEFAULTS = {name: str(each.get("Default", "")) for name, each in template()["Parameters"].items()}
REGISTRY = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.fixture(autouse=True)
def parameters(monkeypatch):
    """The stack's parameters, as the template has them if nobody sets any."""
    given = dict(DEFAULTS)
    outputs = {"RepositoryUri": f"{REGISTRY}/flask-app"}
    monkeypatch.setattr(stack, "describe", lambda _: stack.Stack("CREATE_COMPLETE", 0.0, given, outputs))
    return given


@pytest.fixture(autouse=True)
def images(monkeypatch):
    """What Docker says of the images of this machine, by name."""
    known = {}

    def run(command, **_):
        # Docker never reads the name as an option.
        assert command[-2] == "--"
        if command[-1] not in known:
            return SimpleNamespace(returncode=1, stdout="[]", stderr=f"Error: No such image: {command[-1]}")
        return SimpleNamespace(returncode=0, stdout=json.dumps([known[command[-1]]]), stderr="")

    monkeypatch.setattr(local_images.subprocess, "run", run)
    return known


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """The repositories of ECR, each tag -> digest."""
    known = {"flask-app": {}}
    monkeypatch.setattr(ecr, "digest_of", lambda repository, tag: known.get(repository, {}).get(tag, ""))
    monkeypatch.setattr(
        ecr, "has_image", lambda repository, digest: digest in known.get(repository, {}).values()
    )
    monkeypatch.setattr(ecr, "has_repository", lambda repository: repository in known)
    monkeypatch.setattr(ecr, "size_of", lambda repository, digest: 48_000_000)
    return known


def built(labels=(), *, ports=("8080/tcp",), architecture="arm64", digests=()):
    return {
        "Os": "linux",
        "Architecture": architecture,
        "Size": 54_000_000,
        "RepoDigests": [f"{REGISTRY}/flask-app@{each}" for each in digests],
        "Config": {
            "Cmd": ["app"],
            "ExposedPorts": {each: {} for each in ports},
            "Labels": dict(labels),
        },
    }


def planned(name="flask-app:latest", code=0):
    result = portcall("plan", name, "--json")
    assert (result.exit_code, result.stderr) == (code, "")
    return json.loads(result.stdout)


def test_a_push_of_what_was_built_here(images):
    images["flask-app:latest"] = built({"portcall.memory": "1G"}, ports=("9090/tcp", "8080/tcp"))
    found = planned()
    assert found == {
        "schema": 1,
        "image": "flask-app:latest",
        "app": "flask-app",
        "found": "this machine",
        "bytes": 54_000_000,
        "would": "deploy",
        "reason": "",
        "do": "",
        # 9090 is where metrics answer.
        "ports": [{"port": 8080, "named_by": "EXPOSE"}, {"port": 9090, "named_by": "EXPOSE"}],
        "architecture": "ARM64",
        "cpu": 256,
        "memory": 1024,
        "capacity": "FARGATE",
        "health": "/",
        "timeout": 300,
        "usd_a_month": 12.16,
        "replaces": "",
        "slot": "free",
        "gate": "none",
        "preview": False,
        "hours": 0,
        "notes": [],
    }


def test_people_read_it_in_words(images):
    images["flask-app:latest"] = built()
    go_live(1)
    result = portcall("plan", "flask-app")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "flask-app from flask-app, on this machine (54 MB)",
        "  Replaces: latest 0000000",
        "  Port:     8080 (EXPOSE)",
        "  CPU:      ARM64",
        "  Size:     0.25 vCPU, 512 MiB",
        "  Price:    about 10.86 USD a month while it runs: Fargate 7.21, its public IPv4 address 3.65 (list "
        "prices of us-east-1, November 2026)",
        "  Health:   GET /, within 300 s",
        "  Slot:     free",
    ]
    assert result.stderr.startswith("portcall in eu-west-1")


@pytest.mark.parametrize(
    ("size", "architecture", "capacity", "usd"),
    [
        # By hand from the price list: (vCPUs * 0.04048 + GB * 0.004445) * 730, and 3.65 for the address.
        (Size(256, 512), "X86_64", "FARGATE", 12.66),
        (Size(256, 512), "ARM64", "FARGATE", 10.86),
        (Size(1024, 2048), "X86_64", "FARGATE", 39.69),
        (Size(1024, 2048), "X86_64", "FARGATE_SPOT", 14.46),
    ],
)
def test_the_price_is_that_of_the_list(size, architecture, capacity, usd):
    assert a_month(size, architecture=architecture, capacity=capacity).total == usd


def test_a_label_that_is_refused_says_what_is_possible(images):
    images["flask-app:latest"] = built({"portcall.prot": "80"})
    found = planned(code=1)
    assert (found["would"], found["ports"], found["usd_a_month"]) == ("refuse", [], None)
    assert "did you mean portcall.port?" in found["reason"]
    result = portcall("plan", "flask-app")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "portcall: A push of flask-app would be refused: The label portcall.prot is unknown" in result.stderr


def test_a_plan_follows_the_stacks_parameters(images, parameters):
    images["flask-app:latest"] = built({"portcall.cpu": "2048"})
    assert "at most 1024" in planned(code=1)["reason"]
    parameters.update(MaxCpu="2048", BlockOnFindings="high", HealthPath="/up", ContainerPort="4000")
    images["flask-app:latest"] = built({"portcall.cpu": "2048"}, ports=())
    found = planned()
    assert (found["cpu"], found["gate"], found["health"]) == (2048, "high", "/up")
    assert found["ports"] == [{"port": 4000, "named_by": "ContainerPort"}]
    assert "The image names no port" in found["notes"][0]
    assert "must not find critical or high" in portcall("plan", "flask-app").stdout


@pytest.mark.parametrize(
    ("set_to", "name", "why"),
    [
        ({}, "web:latest", "this stack deploys from flask-app."),
        ({"TagPattern": "latest,v*"}, "flask-app:dev", "TagPattern is latest,v*."),
    ],
    ids=["repository", "tag"],
)
def test_a_push_that_nobody_watches_starts_nothing(images, parameters, set_to, name, why):
    parameters.update(set_to)
    images[name] = built()
    found = planned(name, code=1)
    assert found["would"] == "nothing"
    assert found["reason"].endswith(why)


def test_a_repository_that_is_not_there_is_created_or_the_push_fails(images, parameters):
    parameters["RepositoryPattern"] = "team/*"
    images["team/web:latest"] = built()
    found = planned("team/web", code=1)
    assert (found["would"], "docker push fails" in found["reason"]) == ("refuse", True)
    assert found["do"] == "aws ecr create-repository --repository-name team/web"
    for below in ("team", "ROOT"):
        parameters["CreateRepositories"] = below
        assert planned("team/web")["would"] == "deploy"
    parameters["CreateRepositories"] = "teams"
    assert planned("team/web", code=1)["would"] == "refuse"


def test_a_preview_ends_and_is_an_app_of_its_own(images, parameters):
    parameters["Environments"] = "tag"
    images["flask-app:pr-7"] = built()
    found = planned("flask-app:pr-7")
    assert (found["app"], found["preview"], found["hours"]) == ("flask-app:pr-7", True, 24)
    assert "24 h after it goes live or when its tag is deleted" in portcall("plan", "flask-app:pr-7").stdout
    images["flask-app:latest"] = built()
    assert (planned()["app"], planned()["preview"]) == ("flask-app:latest", False)


def test_plan_refuses_a_new_app_without_a_free_slot_as_the_workflow_does(images, parameters):
    parameters["MaxApps"] = "1"
    ledger.take_slot(app="other", most={"lasting": 1})
    images["flask-app:latest"] = built()
    found = planned(code=1)
    assert (found["would"], found["slot"]) == ("refuse", "taken")
    assert found["reason"] == str(limits.refusal({"lasting": {"other"}}, {"lasting": 1}))
    # What runs has its place.
    go_live(1)
    assert (planned()["would"], planned()["slot"]) == ("deploy", "free")


def test_plan_says_that_the_caller_has_no_permission_to_see_the_slots(images, monkeypatch):
    def denied(**_):
        raise AccessDeniedError("no")

    monkeypatch.setattr(ledger, "taken_slots", denied)
    images["flask-app:latest"] = built()
    assert (planned()["would"], planned()["slot"]) == ("deploy", "unknown")
    assert "not known: that needs the viewer policy" in portcall("plan", "flask-app").stdout


def test_a_push_to_a_stopped_app_is_recorded(images):
    go_live(1)
    seen = ledger.current(app="flask-app")
    held = dataclasses.replace(seen, stop=Stop("maintenance", "ann", 0))
    assert ledger.change_current(app="flask-app", new=held, seen=seen)
    images["flask-app:latest"] = built()
    found = planned(code=1)
    assert (found["would"], found["do"]) == ("record", "To deploy it anyway: portcall start flask-app")
    assert "The app is stopped, requested by ann (not verified): maintenance." in found["reason"]


def test_plan_says_that_pushing_an_image_that_ecr_has_starts_nothing(images, registry):
    registry["flask-app"]["latest"] = digest(7)
    images["flask-app:latest"] = built(digests=[digest(7)])
    assert "so pushing it again starts nothing" in planned()["notes"][0]
    images["flask-app:latest"] = built(digests=[digest(6)])
    assert planned()["notes"] == []


def test_an_image_is_read_from_ecr_where_docker_has_none(registry, monkeypatch):
    registry["flask-app"]["latest"] = digest(7)
    manifest = {
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(8)},
        "layers": [],
    }
    config = {"os": "linux", "architecture": "amd64", "config": {"Cmd": ["app"]}}
    monkeypatch.setattr(ecr, "manifest", lambda **_: json.dumps(manifest))
    monkeypatch.setattr(ecr, "blob", lambda **_: json.dumps(config))
    found = planned(f"{REGISTRY}/flask-app:latest@{digest(7)}")
    assert (found["found"], found["architecture"], found["bytes"]) == ("ECR", "X86_64", 48_000_000)
    manifest["artifactType"] = "application/vnd.example.sbom"
    assert planned(code=1)["would"] == "ignore"


def test_the_name_at_home_need_not_say_the_registry(images):
    images[f"{REGISTRY}/flask-app:v1"] = built()
    assert planned("flask-app:v1")["found"] == "this machine"


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("flask-app:nope", 5, "image flask-app:nope: Docker has no such image, and ECR has none of that name."),
        ("nope", 5, "There is no image nope: Docker has no such image. Pushes to nope are not deployed: this"),
        ("Flask App", 2, "Flask App is not an image: write flask-app:latest@sha256:"),
        (f"flask-app@{digest(1)}", 2, "Add the tag: flask-app:latest@sha256:"),
    ],
)
def test_plan_explains_a_missing_image_or_an_invalid_name(name, code, said):
    result = portcall("plan", name)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr


def test_nothing_is_asked_about_repositories_that_nobody_watches(monkeypatch):
    asked = []
    monkeypatch.setattr(ecr, "digest_of", lambda repository, tag: asked.append(repository) or "")
    assert portcall("plan", "nope").exit_code == 5
    assert portcall("plan", "flask-app").exit_code == 5
    assert asked == ["flask-app"]


@pytest.mark.parametrize("error", [FileNotFoundError(), subprocess.TimeoutExpired("docker", 1)], ids=str)
def test_without_docker_there_is_ecr(monkeypatch, error):
    def run(*_, **__):
        raise error

    monkeypatch.setattr(local_images.subprocess, "run", run)
    result = portcall("plan", "flask-app")
    assert result.exit_code == 5
    assert "docker" in result.stderr.lower()


def test_a_stack_without_a_parameter_is_an_older_one(parameters, images):
    images["flask-app:latest"] = built()
    del parameters["MaxApps"]
    result = portcall("plan", "flask-app")
    assert result.exit_code == 1
    assert "has no parameter MaxApps: it is older than this command" in result.stderr


def test_every_rule_is_read_from_a_parameter_of_the_template():
    stack_rules.StackRules.of(DEFAULTS)
    with pytest.raises(Trouble):
        stack_rules.StackRules.of({})


@pytest.mark.parametrize("text", [*HOSTILE.values(), *(text for text, _ in OBEYED.values())])
def test_labels_are_text(images, text):
    images["flask-app:latest"] = built({f"portcall.{text}": text})
    result = portcall("plan", "flask-app")
    assert result.exit_code == 1
    assert not set("\x1b\x9b\x08\u202e") & set(result.output)


# ── As `portcall doctor IMAGE` judges it


def made(**more):
    return plan.Plan("web:latest", "web", "this machine", 0, **more)


def test_the_doctor_judges_a_plan():
    refused = image.push(made(would="refuse", reason="It has no CMD."))
    assert (refused.result, "It has no CMD." in refused.said) == (Result.FAILED, True)
    assert image.push(made()).result == Result.OK
    assert image.slot(made(slot="free")).result == Result.OK
    assert image.slot(made(slot="unknown")).result == Result.UNKNOWN


def test_the_doctor_looks_for_an_image_where_there_is_no_app(images, monkeypatch):
    from portcall.core.doctor import checkup

    images["flask-app:v2"] = built(ports=())
    examiner = checkup._Checkup(SimpleNamespace(stack="portcall", region="", profile="", endpoint=""))
    monkeypatch.setattr(checkup, "plan_of", lambda target, name: plan._Planning(TARGET).of(name))
    no_app = Trouble("There is no app.", 5)
    found = {each.name: each.look() for each in examiner._of_an_image("flask-app:v2", no_app)}
    assert {name: each.result for name, each in found.items()} == {
        "push": Result.OK,
        "port": Result.WARNING,
        "slot": Result.OK,
    }
    with pytest.raises(Trouble, match="There is no app"):
        examiner._of_an_image("nope", no_app)


TARGET = SimpleNamespace(endpoint="", client=None)
