"""Other kinds of apps than the example, configured only by their images."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import FIXTURES, Portcall, get
from tests.local.conftest import HOST_ARCHITECTURE, OTHER_ARCHITECTURE, eventually

pytestmark = pytest.mark.long(50)


def url_of(portcall: Portcall, folder: str, app: str) -> str:
    mail = portcall.mail(app, portcall.push(FIXTURES / folder, app))
    assert mail.attributes["outcome"] == "deployed", mail.text
    return mail.text.splitlines()[0]


def open_ports(portcall: Portcall, app: str) -> set[int]:
    """What the security groups of the app's task let in."""
    ec2, ecs = portcall.client("ec2"), portcall.client("ecs")
    (running,) = portcall.apps(app)
    cluster = running["task_arn"].split("/")[1]
    (task,) = ecs.describe_tasks(cluster=cluster, tasks=[running["task_arn"]])["tasks"]
    details = {each["name"]: each["value"] for each in task["attachments"][0]["details"]}
    (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])["NetworkInterfaces"]  # fmt: skip
    groups = [group["GroupId"] for group in interface["Groups"]]
    found = ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"]
    return {rule["FromPort"] for group in found for rule in group["IpPermissions"]}


def test_a_static_site_on_port_80(portcall: Portcall) -> None:
    url = url_of(portcall, "static-site", "static-app")
    assert urlsplit(url).port is None
    assert "A static site" in get(url)
    assert open_ports(portcall, "static-app") == {80}


def test_a_service_that_speaks_no_http(portcall: Portcall) -> None:
    url = urlsplit(url_of(portcall, "tcp-echo", "echo-app"))
    assert (url.scheme, url.port) == ("tcp", 6379)
    with socket.create_connection((url.hostname or "", 6379), timeout=5) as connection:
        connection.sendall(b"hello\n")
        said = connection.makefile()
        assert (said.readline(), said.readline()) == ("READY\n", "hello\n")
    assert open_ports(portcall, "echo-app") == {6379}


def test_a_worker_that_listens_on_no_port(portcall: Portcall) -> None:
    portcall.repository("worker-app")
    labels = {"portcall.health": "none"}
    digest = portcall.by_hand.push("worker-app", ["sleep", "3600"], tag="latest", Labels=labels)
    # It is watched for half a minute first.
    eventually(lambda: portcall.mails("worker-app", digest), within=180, every=0.2)
    mail = portcall.mail("worker-app", digest)
    assert mail.subject == "worker-app is live: it runs, and listens on no port", mail.text
    assert open_ports(portcall, "worker-app") == set()
    (app,) = portcall.apps("worker-app")
    assert (app["digest"], app["url"]) == (digest, "")


def test_of_several_ports_the_lowest_that_answers(portcall: Portcall) -> None:
    url = url_of(portcall, "several-ports", "several-app")
    assert urlsplit(url).port == 8080
    get(url)
    assert open_ports(portcall, "several-app") == {8080}


def test_labels_and_parameters_become_environment_and_secrets_stay_secret(portcall: Portcall) -> None:
    ssm = portcall.client("ssm")
    for name, kind, value in (("TOKEN", "SecureString", "s3cret-t0ken"), ("MODE", "String", "plain-mode")):
        ssm.put_parameter(Name=f"/portcall/env-app/{name}", Type=kind, Value=value)
    ssm.put_parameter(Name="/portcall/another-app/OTHERS", Type="String", Value="not-mine")
    url = url_of(portcall, "prints-environment", "env-app")
    environment: dict[str, Any] = json.loads(get(f"{url}ready"))
    assert (environment["COLOUR"], environment["PORT"]) == ("blue", "5000")
    assert (environment["TOKEN"], environment["MODE"]) == ("s3cret-t0ken", "plain-mode")
    assert "OTHERS" not in environment
    (app,) = portcall.apps("env-app")
    ecs = portcall.client("ecs")
    (task,) = ecs.describe_tasks(cluster=app["task_arn"].split("/")[1], tasks=[app["task_arn"]])["tasks"]
    revision = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    assert (revision["cpu"], revision["memory"]) == ("512", "1024")
    mails = [mail.text for mail in portcall.mails("env-app")]
    execution = portcall.execution("env-app")
    history = portcall.client("stepfunctions").get_execution_history(
        executionArn=execution["executionArn"], maxResults=1000
    )
    for secret in ("s3cret-t0ken", "plain-mode"):
        for place in (mails, revision, task, execution, history):
            assert secret not in json.dumps(place, default=str)


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("portcall.prot=80", "did you mean portcall.port?"),
        ("portcall.memory=513", "does not offer"),
        ("portcall.cpu=16", "allows at most 1024"),
    ],
)
def test_a_label_that_is_impossible_is_refused_with_what_is_possible(
    portcall: Portcall, label: str, says: str
) -> None:
    portcall.repository("label-app")
    name, _, value = label.partition("=")
    digest = portcall.by_hand.push("label-app", ["httpd", "-f"], tag="latest", Labels={name: value})
    mail = portcall.mail("label-app", digest)
    assert mail.subject.startswith("label-app was refused"), mail.text
    assert says in mail.text
    assert portcall.containers("label-app") == []


@pytest.mark.parametrize("platform", ["windows/amd64", "linux/riscv64"])
def test_an_image_for_what_fargate_does_not_run_is_refused_at_once(portcall: Portcall, platform: str) -> None:
    portcall.repository("foreign-app")
    os, _, architecture = platform.partition("/")
    digest = portcall.by_hand.push("foreign-app", ["httpd"], tag="latest", os=os, architecture=architecture)
    mail = portcall.mail("foreign-app", digest)
    assert platform in mail.text.splitlines()[1]
    assert "docker build --platform" in mail.text
    assert portcall.containers("foreign-app") == []


def test_an_image_built_for_both_cpus_runs_on_the_one_that_is_preferred(portcall: Portcall) -> None:
    portcall.repository("both-app")
    command = ["httpd", "-f", "-p", "3000"]
    children = {
        architecture: portcall.by_hand.push("both-app", command, architecture=architecture)
        for architecture in (HOST_ARCHITECTURE, OTHER_ARCHITECTURE)
    }
    index = portcall.by_hand.push_index("both-app", children, "latest")
    assert portcall.mail("both-app", index).attributes["outcome"] == "deployed"


ARTIFACTS = {
    "a Helm chart": ("application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "1.2.3"),
    "a cosign signature": ("application/vnd.oci.image.config.v1+json", "application/vnd.dev.cosign.simplesigning.v1+json", f"sha256-{'a' * 64}.sig"),
    "an SBOM": ("application/vnd.oci.empty.v1+json", "application/spdx+json", "sbom"),
}  # fmt: skip


def test_a_chart_signature_or_sbom_starts_no_task_and_sends_no_mail(portcall: Portcall) -> None:
    app = "artifact-app"
    portcall.repository(app)
    for config_type, layer_type, tag in ARTIFACTS.values():
        portcall.by_hand.push_artifact(app, config_type, layer_type, tag)
    digest = portcall.by_hand.push(app, ["httpd", "-f", "-p", "3000"], tag="latest")
    assert portcall.mail(app, digest).attributes["outcome"] == "deployed"
    assert all(each["status"] == "SUCCEEDED" for each in portcall.deployments.ended(app))
    assert len(portcall.mails(app)) == 1
    assert len(portcall.apps(app)) == 1
