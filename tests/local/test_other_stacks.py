"""A second stack beside the first, a stack with previews, and one in an existing VPC."""

import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from deployer.aws import ledger_keys
from deployer.aws.items import wire

from localcloud.inbox import Received, read
from portcall.installer.packaged import Packaged
from tests import installing
from tests.conftest import StateFolder
from tests.deployments import WITHIN
from tests.local.callers import forget, holder, job_of
from tests.local.conftest import (
    REGION,
    eventually,
)
from tests.local.installed import (
    FAILS,
    SERVES,
    Installed,
    containers,
    inventory,
    stack_of_its_own,
)

pytestmark = pytest.mark.long(25)


@pytest.fixture(scope="module")
def stack(engine: None, release: Packaged, state_folder: StateFolder) -> Iterator[Installed]:
    with stack_of_its_own(state_folder("stack"), release) as installed:
        yield installed


# ── Two installs side by side, and the deletion of one


def test_a_second_stack_deploys_its_own_pushes_and_leaves_nothing_when_it_is_deleted(
    stack: Installed, release: Packaged
) -> None:
    first = stack.deploy()
    assert first["status"] == "SUCCEEDED", first.get("cause")
    # The version before it takes a moment to stop.
    eventually(lambda: len(containers(stack.cloud.port)) == 1)
    before = inventory(stack.cloud)
    second = Installed(stack.cloud, "second")
    parameters = {"Email": "them@example.com", "RepositoryName": "second-app", "StableUrl": "on"}
    installing.create(stack.cloud.client, release, parameters, second.name)

    execution = second.deploy()
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    (mail,) = second.mails(execution)
    assert mail.to == "them@example.com"
    assert stack.deployments.of(second.app) == []
    assert second.deploy(FAILS)["status"] == "FAILED"
    assert len(second.tasks()) == 1
    assert stack.tasks() == stack.tasks(first) != []

    # What a deletion that was not done in one go has left, and a deployment that is under way.
    ecs = stack.cloud.client("ecs")
    for number in range(3):  # of a family each, for ECS makes one revision of a family at a time
        left = ecs.register_task_definition(family=f"second_gone-app-{number}", containerDefinitions=[{"name": "app", "image": "gone"}])  # fmt: skip
        ecs.deregister_task_definition(taskDefinition=left["taskDefinition"]["taskDefinitionArn"])
    digest = second.push()
    eventually(lambda: second.deployments.of(second.app, digest))

    second.delete()
    assert inventory(stack.cloud) == before
    inactive = ecs.list_task_definitions(familyPrefix="second_", status="INACTIVE")["taskDefinitionArns"]
    assert inactive == []
    assert stack.deploy()["status"] == "SUCCEEDED"


# ── With previews


def by_subject(stack: Installed, subject: str) -> Received:
    """The only mail whose subject begins so, once it is there."""

    def look() -> list[Received]:
        return [mail for mail in read(stack.settings.inbox) if mail.subject.startswith(subject)]

    (mail,) = eventually(look, within=WITHIN, every=0.1)
    return mail


@pytest.fixture
def secrets(stack: Installed) -> Iterator[None]:
    """Of production and of previews, under a key of the account, so that the role needs both trees for it too."""
    kms, ssm = stack.cloud.client("kms"), stack.cloud.client("ssm")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kept = {"portcall/shop/web/WORD": "of-production", "portcall/shop/web/OTHER": "of-production"}
    kept |= {f"portcall-previews/{name}/WORD": f"of-previews-of-{name}" for name in ("shop/web", "third-app")}
    for name, value in kept.items():
        ssm.put_parameter(Name=f"/{name}", Value=value, Type="SecureString", KeyId=key)
    yield
    for name in kept:
        ssm.delete_parameter(Name=f"/{name}")


def given_secrets(port: int) -> list[str]:
    """What the environments of all containers have of them."""
    line = ["docker", "inspect", "--format", "{{json .Config.Env}}", *containers(port)]
    environments = map(json.loads, subprocess.check_output(line, text=True).splitlines())
    return sorted(each for environment in environments for each in environment if "=of-pr" in each)


@pytest.mark.usefixtures("secrets")
def test_previews_come_with_their_tag_and_go_with_it_and_nothing_of_them_stays(
    stack: Installed, release: Packaged, tmp_path: Path
) -> None:
    eventually(lambda: len(containers(stack.cloud.port)) == len(stack.tasks()))
    before = inventory(stack.cloud)
    third = Installed(stack.cloud, "third")
    parameters = {
        "Email": "them@example.com",
        "RepositoryName": "third-app",
        "RepositoryPattern": "shop/*",
        "CreateRepositories": "shop",
        "Environments": "tag",
        "MaxPreviews": "2",
        "GitHubRepository": "my-org/my-app",
        "GitLabProject": "my-group/my-app",
    }
    installing.create(stack.cloud.client, release, parameters, third.name)

    def push(tag: str, repository: str = "shop/web", **configuration: Any) -> str:
        # The first of them creates the repository. It ends when asked to, so that no news of it comes after the stack.
        command = ["sh", "-c", f": {tag}; trap 'exit 0' TERM; httpd -f -p 80 & wait"]
        return third.cloud.push(
            repository, command, tag=tag, **{"ExposedPorts": {"80/tcp": {}}, **configuration}
        )

    urls = {}
    for repository, tag in (("shop/web", "pr-7"), ("third-app", "pr-8")):
        push(tag, repository)
        mail = by_subject(third, f"{repository}:{tag} is live: http://")
        urls[tag] = mail.text.splitlines()[0]
        assert "It is a preview: it ends at " in mail.text
        assert mail.attributes == {"app": f"{repository}:{tag}", "outcome": "deployed"}
    assert urls["pr-7"] != urls["pr-8"]
    assert len(third.tasks()) == 2
    assert given_secrets(stack.cloud.port) == [
        "WORD=of-previews-of-shop/web",
        "WORD=of-previews-of-third-app",
    ]
    push("pr-9")
    assert "shop/web:pr-7, third-app:pr-8" in by_subject(third, "shop/web:pr-9 was refused").text

    third.cloud.client("ecr").batch_delete_image(repositoryName="shop/web", imageIds=[{"imageTag": "pr-7"}])
    assert urls["pr-7"] in by_subject(third, "shop/web:pr-7 has ended: its tag was deleted").text
    eventually(lambda: len(third.tasks()) == 1)
    # There is room again. This one's time passes at once.
    push("pr-9", Labels={"portcall.expires": "1m"})
    by_subject(third, "shop/web:pr-9 is live")
    third.cloud.client("dynamodb").update_item(
        TableName=third.outputs["LedgerTableName"],
        Key=wire(ledger_keys.current("shop/web:pr-9")),
        UpdateExpression="SET #until = :now",
        ExpressionAttributeNames={"#until": "until"},
        ExpressionAttributeValues={":now": {"N": str(int(time.time()))}},
    )
    assert third.sweep() == {"shop/web:pr-9": ["ended the app"]}
    by_subject(third, "shop/web:pr-9 has ended: it expired at ")
    eventually(lambda: len(third.tasks()) == 1)
    (lasting,) = third.deployments.ended("shop/web", push("latest"))
    assert lasting["status"] == "SUCCEEDED", lasting.get("cause")
    assert {"OTHER=of-production", "WORD=of-production"} <= set(given_secrets(stack.cloud.port))

    github, gitlab = "token.actions.githubusercontent.com", "gitlab.com"
    main = "project_path:my-group/my-app:ref_type:branch:ref:main"
    jobs = (
        ("GitHubRoleArn", github, "sts.amazonaws.com", "repo:my-org/my-app:ref:refs/heads/main"),
        ("GitLabRoleArn", gitlab, "https://gitlab.com", main),
    )
    for output, host, audience, subject in jobs:
        role = third.outputs[output]
        job = job_of(stack.cloud, role, host, tmp_path, aud=audience, sub=subject)
        assert job.client("ecr").get_authorization_token()["authorizationData"]
        with pytest.raises(ClientError, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"):
            job_of(stack.cloud, role, host, tmp_path, aud=audience, sub=subject.replace("my-app", "other"))

    # In the repository of the stack's own, too, and as CI does it.
    pusher = holder(stack.cloud, "Pusher", tmp_path, "third")
    ecr = pusher.client("ecr")
    ecr.batch_delete_image(repositoryName="third-app", imageIds=[{"imageTag": "pr-8"}])
    by_subject(third, "third-app:pr-8 has ended: its tag was deleted")
    ecr.create_repository(repositoryName="shop/new")
    digest = pusher.push("shop/new", ["sh", "-c", f": {uuid.uuid4()}; {SERVES}"], "pr-1")
    waited = pusher.portcall("wait", f"shop/new:pr-1@{digest}")
    assert waited.returncode == 0, waited.stderr
    ecr.batch_delete_image(repositoryName="shop/new", imageIds=[{"imageTag": "pr-1"}])
    by_subject(third, "shop/new:pr-1 has ended: its tag was deleted")
    with pytest.raises(ClientError, match="not authorized"):
        ecr.create_repository(repositoryName="elsewhere/new")
    stack.cloud.client("ecr").delete_repository(repositoryName="shop/new", force=True)
    forget(stack.cloud, "Pusher", "third")

    third.delete()
    assert inventory(stack.cloud) == before


# ── In a VPC that is there already


@pytest.fixture(scope="module")
def network(stack: Installed) -> dict[str, str]:
    """A VPC of somebody's, with two public subnets, by the parameters of the template."""
    ec2 = stack.cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]
        for cidr in ("10.1.0.0/24", "10.1.1.0/24")
    ]
    return {"VpcId": vpc, "SubnetIds": ",".join(subnets), "RouteTableIds": table}


def test_a_stack_in_a_vpc_of_yours_deploys_there_and_makes_none(
    stack: Installed, release: Packaged, network: dict[str, str]
) -> None:
    eventually(lambda: len(containers(stack.cloud.port)) == len(stack.tasks()))
    before = inventory(stack.cloud)
    fourth = Installed(stack.cloud, "fourth")
    parameters = {
        "Email": "them@example.com",
        "RepositoryName": "fourth-app",
        "AllowedCidr": "198.51.100.0/24",
        **network,
    }
    installing.create(stack.cloud.client, release, parameters, fourth.name)
    assert not {"Vpc", "SubnetA", "InternetGateway", "PublicRouteTable"} & set(fourth.resources)
    assert inventory(stack.cloud)["networks"] == before["networks"]

    # On another port than the default: its security group is made when it is deployed.
    serves = ["sh", "-c", "trap 'exit 0' TERM; httpd -f -p 8080 & wait"]
    digest = fourth.cloud.push(fourth.app, serves, tag="latest", ExposedPorts={"8080/tcp": {}})
    (execution,) = fourth.deployments.ended(fourth.app, digest)
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    ec2, ecs = stack.cloud.client("ec2"), stack.cloud.client("ecs")
    (task,) = ecs.describe_tasks(cluster=fourth.outputs["ClusterArn"], tasks=fourth.tasks(execution))["tasks"]
    details = {each["name"]: each["value"] for each in task["attachments"][0]["details"]}
    assert details["subnetId"] in network["SubnetIds"].split(",")
    (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])[
        "NetworkInterfaces"
    ]
    groups = ec2.describe_security_groups(GroupIds=[each["GroupId"] for each in interface["Groups"]])
    assert {each["VpcId"] for each in groups["SecurityGroups"]} == {network["VpcId"]}
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert [each["RouteTableIds"] for each in endpoints if each["VpcId"] == network["VpcId"]] == [
        [network["RouteTableIds"]]
    ]

    fourth.delete()
    assert inventory(stack.cloud) == before


@pytest.mark.parametrize(
    ("given", "left_out", "sentence"),
    [
        ({}, "SubnetIds", "VpcId and SubnetIds belong together."),
        ({}, "VpcId", "VpcId and SubnetIds belong together."),
        ({"AllowedCidr": "198.51.100.0/24"}, "RouteTableIds", "VpcId with AllowedCidr needs RouteTableIds:"),
        ({"VpcId": "", "SubnetIds": ""}, "", "RouteTableIds needs VpcId and SubnetIds."),
    ],
)
def test_half_a_network_is_refused_in_a_sentence(
    stack: Installed, network: dict[str, str], given: dict[str, str], left_out: str, sentence: str
) -> None:
    parameters = {name: value for name, value in {**network, **given}.items() if name != left_out}
    if sentence.startswith("VpcId and"):
        del parameters["RouteTableIds"]
    cloudformation, s3 = stack.cloud.client("cloudformation"), stack.cloud.client("s3")
    # As SAM does: a request takes 51,200 bytes of a template, a bucket a megabyte.
    bucket = f"templates-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    template = cloudformation.get_template(StackName=stack.name, TemplateStage="Original")["TemplateBody"]
    body = template if isinstance(template, str) else json.dumps(template)
    s3.put_object(Bucket=bucket, Key="template", Body=body.encode())
    with pytest.raises(cloudformation.exceptions.ClientError, match=sentence):
        cloudformation.create_stack(
            StackName="refused",
            TemplateURL=f"{stack.cloud.endpoint}/{bucket}/template",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
