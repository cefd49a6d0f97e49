"""AWS's responses, unusual ones included, become plain values or our errors."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import get_args, get_overloads

import botocore.loaders
import botocore.session
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
)
from botocore.parsers import ResponseParserError
from botocore.retries.standard import ThrottledRetryableChecker
from botocore.stub import Stubber
from deployer.aws import client as clients
from deployer.aws import ec2, ecr, ecs, logs, sns, ssm, step_functions
from deployer.aws.client import CONFIG, THROTTLES, client, code_of, errors_as_ours
from deployer.domain import task_definition
from deployer.domain.errors import (
    AccessDeniedError,
    AddressNotReadyError,
    AwsRefusedError,
    AwsUnavailableError,
    DeployError,
    NoCapacityError,
    ThrottledError,
)
from deployer.domain.failure import Failure
from deployer.domain.findings import Scan
from deployer.domain.image_spec import ImageSpec
from deployer.domain.mail import Context, Mail, Standing, failed
from deployer.domain.push import Push

from tests.templates import template

CLUSTER = "arn:aws:ecs:eu-west-1:111122223333:cluster/portcall"
TASK = "arn:aws:ecs:eu-west-1:111122223333:task/portcall/0f1e"


IMAGE = ImageSpec(
    digests=["sha256:" + "a" * 64],
    architecture="ARM64",
    ports=[3000, 3001],
    cpu="256",
    memory="512",
    health="/",
    timeout=300,
    environment={"COLOUR": "blue", "LEVEL": "loud"},
    capacity="FARGATE",
    container_health={"command": ["CMD", "ask"], "interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0},
    expires=None,
)


def run_task():
    return ecs.run_task(
        cluster=CLUSTER,
        task_definition="portcall-flask-app:7",
        subnets=("subnet-1", "subnet-2"),
        security_group="sg-1",
        capacity_provider="FARGATE_SPOT",
        started_by="deployment-1",
        client_token="deployment-1",
        tags=[{"key": "portcall:app", "value": "flask-app"}],
    )


def test_run_task_asks_for_one_task_with_a_public_ip(stub):
    network = {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}
    expected = {
        "cluster": CLUSTER,
        "taskDefinition": "portcall-flask-app:7",
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        "count": 1,
        "startedBy": "deployment-1",
        "clientToken": "deployment-1",
        "networkConfiguration": {"awsvpcConfiguration": network},
        "tags": [{"key": "portcall:app", "value": "flask-app"}],
        "enableECSManagedTags": True,
    }
    stub("ecs").add_response("run_task", {"tasks": [{"taskArn": TASK}], "failures": []}, expected)
    assert run_task() == TASK


SHORTAGES = [
    "RESOURCE:CPU",
    "RESOURCE:ENI",
    "AGENT",
    "Capacity is unavailable at this time. Please try again later or in a different availability zone",
    # As ECS writes it, with a typographic apostrophe, and as people quote it.
    "You\N{RIGHT SINGLE QUOTATION MARK}ve reached the limit on the number of vCPUs you can run concurrently",
    "You've reached the limit on the number of tasks you can run concurrently",
]
NO_SHORTAGES = [
    "MISSING",
    "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
    "the cluster. Associate the capacity provider with the cluster and try again.",
    "The requested CPU configuration is above your limit",
]


@pytest.mark.parametrize("reason", SHORTAGES)
def test_a_shortage_is_one_in_a_200_and_in_an_error(stub, reason):
    stub("ecs").add_response("run_task", {"tasks": [], "failures": [{"arn": CLUSTER, "reason": reason}]})
    with pytest.raises(NoCapacityError, match=reason):
        run_task()
    stub("ecs").add_client_error("run_task", "ClientException", reason, 400)
    with pytest.raises(NoCapacityError, match=reason):
        run_task()


@pytest.mark.parametrize("reason", NO_SHORTAGES)
def test_another_failure_is_not_tried_again_wherever_it_is_reported(stub, reason):
    stub("ecs").add_response("run_task", {"tasks": [], "failures": [{"arn": CLUSTER, "reason": reason}]})
    with pytest.raises(AwsRefusedError, match=reason[:40]):
        run_task()
    stub("ecs").add_client_error("run_task", "InvalidParameterException", reason, 400)
    with pytest.raises(AwsRefusedError, match=reason[:40]) as refused:
        run_task()
    assert code_of(refused.value) == "InvalidParameterException"


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("Unable to assume the service linked role. Please verify that the ECS service linked role exists.", AwsUnavailableError),
        ("ECS was unable to assume the role 'arn:aws:iam::111122223333:role/execution' that was provided for this task.", AwsUnavailableError),
        ("Error retrieving security group information for [sg-1]: The security group 'sg-1' does not exist (ErrorCode: InvalidGroup.NotFound)", AwsUnavailableError),
        ("Error retrieving security group information for [sg-1]: Request limit exceeded. (ErrorCode: RequestLimitExceeded)", ThrottledError),
        ("Error retrieving subnet information for [subnet-1]: The subnet does not exist (ErrorCode: InvalidSubnetID.Value)", AwsRefusedError),
    ],
)  # fmt: skip
def test_the_message_of_a_client_error_of_ecs_decides_its_class(stub, message, error):
    stub("ecs").add_client_error("run_task", "InvalidParameterException", message, 400)
    with pytest.raises(error):
        run_task()


def test_a_second_revision_of_a_family_at_the_same_moment_is_tried_again(stub):
    said = "Too many concurrent attempts to create a new revision of the specified family."
    stub("ecs").add_client_error("register_task_definition", "ClientException", said, 400)
    with pytest.raises(ThrottledError, match="Too many concurrent"):
        ecs.register_task_definition({"family": "portcall_flask-app", "containerDefinitions": []})


def test_another_refusal_of_a_revision_is_not_tried_again(stub):
    stub("ecs").add_client_error("register_task_definition", "ClientException", "Invalid image", 400)
    with pytest.raises(AwsRefusedError, match="Invalid image"):
        ecs.register_task_definition({"family": "portcall_flask-app", "containerDefinitions": []})


def test_every_code_that_botocore_takes_for_throttling_is_throttling():
    # With this code ECS, ECR and SSM report quotas, which waiting does not change.
    quotas = {"LimitExceededException"}
    assert set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) - quotas <= THROTTLES


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        (["None", "ThrottlingError"], ThrottledError),
        (["ProvisionedThroughputExceeded", "None"], ThrottledError),
        (["ConditionalCheckFailed", "ThrottlingError"], AwsRefusedError),
        (["None", "ConditionalCheckFailed"], AwsRefusedError),
    ],
)
def test_a_transaction_that_load_cancelled_is_tried_again(codes, error):
    answer = {
        "Error": {"Code": "TransactionCanceledException", "Message": "Transaction cancelled"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    with pytest.raises(error), errors_as_ours():
        raise ClientError(answer, "TransactWriteItems")


def of_botocore() -> Iterator[BotoCoreError]:
    """One of each error that botocore itself raises."""
    ahead: list[type[BotoCoreError]] = [BotoCoreError]
    while ahead:
        kind = ahead.pop()
        ahead += kind.__subclasses__()
        # Each wants other arguments; what they have in common is a message.
        error = kind.__new__(kind)
        Exception.__init__(error, "it did not work")
        yield error


def test_every_error_of_botocores_own_becomes_one_of_ours_with_a_sentence():
    for error in of_botocore():
        with pytest.raises(DeployError, match=r"\w+ \w+ .*\w"), errors_as_ours():
            raise error


def test_clients_and_paginators_raise_portcalls_own_errors(stub, requests):
    stub("ecs").add_response("list_tasks", {"taskArns": [TASK], "nextToken": "2"})
    stub("ecs").add_client_error("list_tasks", "AccessDeniedException", "no", 400)
    pages = client("ecs").get_paginator("list_tasks").paginate(cluster=CLUSTER)
    with pytest.raises(AccessDeniedError, match="ListTasks: no") as raised:
        list(pages)
    assert code_of(raised.value) == "AccessDeniedException"
    with pytest.raises(AwsRefusedError, match="AWS would not accept it"):
        client("ecs").describe_tasks(cluster=7)
    requests.refused.clear()


def test_so_is_what_a_client_raises_that_is_made_from_the_command_lines_session(monkeypatch):
    session = botocore.session.Session()
    session.set_credentials("a", "s")
    session.set_config_variable("region", "eu-west-1")
    monkeypatch.setattr(clients, "_given", None)
    clients.use(session)
    with Stubber(client("ecs")) as stubber:
        stubber.add_client_error("list_tasks", "ThrottlingException", "slow down", 400)
        with pytest.raises(ThrottledError, match="ListTasks: slow down"):
            client("ecs").list_tasks(cluster=CLUSTER)
    clients._client.cache_clear()


def test_a_client_is_made_once_and_by_boto3():
    assert client("ecs") is client("ecs")
    assert "Boto3/" in client("ecs").meta.config.user_agent


def test_a_client_of_each_api_is_made_without_a_look_at_all_others(monkeypatch):
    typed = [each.__annotations__["service"] for each in get_overloads(client)]
    assert [get_args(each) for each in typed if each is not str] == [(each,) for each in clients.SERVICES]
    assert set(clients.SERVICES) <= set(botocore.loaders.Loader().list_available_services("service-2"))
    looked_at: list[object] = []
    monkeypatch.setattr(botocore.loaders.Loader, "list_available_services", looked_at.append)
    for service in clients.SERVICES:
        clients._client.__wrapped__(service)
    assert looked_at == []


def test_a_client_that_cannot_be_made_is_said_in_our_words(monkeypatch):
    clients._client.cache_clear()
    with pytest.raises(AwsRefusedError, match="not sent"):
        client("no-such-api")


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (EndpointConnectionError(endpoint_url="https://ecs.eu-west-1.amazonaws.com"), AwsUnavailableError),
        (ResponseParserError("Unable to parse response"), AwsUnavailableError),
        (NoCredentialsError(), AccessDeniedError),
        (ParamValidationError(report="Missing required parameter: taskDefinition"), AwsRefusedError),
    ],
)
def test_an_error_of_botocores_own_is_transient_only_if_it_may_pass(error, ours):
    with pytest.raises(ours), errors_as_ours():
        raise error


def test_all_attempts_of_a_call_end_before_a_function_does():
    attempts = CONFIG.retries["total_max_attempts"]
    # Before each further attempt botocore pauses for up to 1, 2, 4 ... seconds.
    pauses = sum(2**number for number in range(attempts - 1))
    calls = attempts * (CONFIG.connect_timeout + CONFIG.read_timeout)
    globals_ = template()["Globals"]
    assert calls + pauses + 2 <= globals_["Function"]["Timeout"]


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ThrottlingException", 400, ThrottledError),
        ("RequestLimitExceeded", 503, ThrottledError),
        ("AccessDeniedException", 400, AccessDeniedError),
        ("UnauthorizedOperation", 403, AccessDeniedError),
        ("ServerException", 500, AwsUnavailableError),
        ("ClientException", 400, AwsRefusedError),
    ],
)
def test_an_error_of_aws_becomes_ours(stub, code, status, error):
    stub("ecs").add_client_error("describe_tasks", code, "the reason", status)
    with pytest.raises(error, match="DescribeTasks: the reason"):
        ecs.describe_task(cluster=CLUSTER, task=TASK)


def test_a_task_that_ecs_does_not_know_is_none(stub):
    stub("ecs").add_response("describe_tasks", {"tasks": [], "failures": [{"arn": TASK, "reason": "MISSING"}]})
    assert ecs.describe_task(cluster=CLUSTER, task=TASK) is None


def test_stopping_what_is_gone_is_fine(stub):
    stub("ecs").add_client_error(
        "stop_task", "InvalidParameterException", "The referenced task was not found.", 400
    )
    ecs.stop_task(cluster=CLUSTER, task=TASK, reason="it failed")


def test_a_stop_that_is_refused_is_not_hidden(stub):
    stub("ecs").add_client_error("stop_task", "AccessDeniedException", "no", 400)
    with pytest.raises(AccessDeniedError):
        ecs.stop_task(cluster=CLUSTER, task=TASK, reason="it failed")


def test_a_stop_gives_a_reason_of_at_most_255_characters(stub):
    stub("ecs").add_response("stop_task", {}, {"cluster": CLUSTER, "task": TASK, "reason": "x" * 255})
    ecs.stop_task(cluster=CLUSTER, task=TASK, reason="x" * 300)


def test_finds_the_tasks_of_a_deployment_on_all_pages(stub):
    first = {"cluster": CLUSTER, "startedBy": "deployment-1"}
    stub("ecs").add_response("list_tasks", {"taskArns": ["one"], "nextToken": "more"}, first)
    stub("ecs").add_response("list_tasks", {"taskArns": ["two"]}, first | {"nextToken": "more"})
    assert ecs.tasks_started_by(cluster=CLUSTER, started_by="deployment-1") == ["one", "two"]


def test_describes_no_more_tasks_at_once_than_ecs_takes(stub):
    arns = [f"{TASK}{number}" for number in range(230)]
    listed = {"cluster": CLUSTER, "desiredStatus": "RUNNING"}
    stub("ecs").add_response("list_tasks", {"taskArns": arns[:100], "nextToken": "2"}, listed)
    stub("ecs").add_response(
        "list_tasks", {"taskArns": arns[100:200], "nextToken": "3"}, listed | {"nextToken": "2"}
    )
    stub("ecs").add_response("list_tasks", {"taskArns": arns[200:]}, listed | {"nextToken": "3"})
    for begin in (0, 100, 200):
        some = arns[begin : begin + 100]
        tasks = [
            {"taskArn": arn, "startedBy": "deployment", "tags": [{"key": "a", "value": "b"}]} for arn in some
        ]
        expected = {"cluster": CLUSTER, "tasks": some, "include": ["TAGS"]}
        stub("ecs").add_response("describe_tasks", {"tasks": tasks, "failures": []}, expected)
    found = ecs.running_tasks(cluster=CLUSTER)
    assert [task.arn for task, _, _ in found] == arns
    assert found[0][1:] == ("deployment", {"a": "b"})


def test_reads_a_large_repository_in_large_pages(stub):
    pushed = datetime(2026, 11, 20, tzinfo=UTC)
    image = {"imageDigest": "sha256:a", "imageTags": ["latest"], "imagePushedAt": pushed}
    first = {"repositoryName": "app", "filter": {"tagStatus": "TAGGED"}, "maxResults": 1000}
    stub("ecr").add_response("describe_images", {"imageDetails": [image] * 1000, "nextToken": "2"}, first)
    stub("ecr").add_response("describe_images", {"imageDetails": [image]}, first | {"nextToken": "2"})
    assert len(ecr.tagged_images(repository="app")) == 1001


def test_finds_the_revisions_of_all_families_whatever_is_active_of_them(stub):
    families = "list_task_definition_families"
    stub("ecs").add_response(families, {"families": ["p_a"]}, {"familyPrefix": "p_", "status": "ACTIVE"})
    stub("ecs").add_response(families, {"families": ["p_b"]}, {"familyPrefix": "p_", "status": "INACTIVE"})
    for family in ("p_a", "p_b"):
        expected = {"familyPrefix": family, "status": "INACTIVE"}
        stub("ecs").add_response("list_task_definitions", {"taskDefinitionArns": [f"{family}:1"]}, expected)
    assert ecs.revisions_of(family_prefix="p_", status="INACTIVE") == ["p_a:1", "p_b:1"]


def test_lists_which_revisions_are_not_deleted(stub):
    failures = [{"arn": "p_a:1", "reason": "it is in use"}]
    stub("ecs").add_response("delete_task_definitions", {"failures": failures}, {"taskDefinitions": ["p_a:1"]})
    assert ecs.delete_task_definitions(["p_a:1"]) == ["p_a:1: it is in use"]


def test_reads_the_public_and_the_private_ip(stub):
    answer = {
        "NetworkInterfaces": [{"Association": {"PublicIp": "203.0.113.7"}, "PrivateIpAddress": "10.0.0.24"}]
    }
    stub("ec2").add_response("describe_network_interfaces", answer, {"NetworkInterfaceIds": ["eni-1"]})
    assert ec2.addresses(interface="eni-1") == ("203.0.113.7", "10.0.0.24")


def test_an_interface_without_an_address_may_have_one_in_a_moment(stub):
    stub("ec2").add_response("describe_network_interfaces", {"NetworkInterfaces": [{}]})
    with pytest.raises(AddressNotReadyError):
        ec2.addresses(interface="eni-1")


def test_an_interface_that_ec2_does_not_know_yet_may_be_known_in_a_moment(stub):
    stub("ec2").add_client_error("describe_network_interfaces", "InvalidNetworkInterfaceID.NotFound", "?", 400)
    with pytest.raises(AddressNotReadyError):
        ec2.addresses(interface="eni-1")


OPEN = {
    "name": "portcall tcp 80",
    "ports": [80],
    "vpc": "vpc-1",
    "cidr": "0.0.0.0/0",
    "probe_group": "sg-probe",
    "tags": {"portcall:stack": "portcall"},
}
NAMED = {
    "Filters": [
        {"Name": "group-name", "Values": ["portcall tcp 80"]},
        {"Name": "vpc-id", "Values": ["vpc-1"]},
    ]
}


def test_opens_a_port_to_the_world_and_to_the_health_check(stub):
    rules = [
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "The port of the app"}]},
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": "sg-probe", "Description": "The health check"}]},
    ]  # fmt: skip
    stub("ec2").add_response("describe_security_groups", {"SecurityGroups": []}, NAMED)
    stub("ec2").add_response("create_security_group", {"GroupId": "sg-80"})
    stub("ec2").add_response(
        "authorize_security_group_ingress", {}, {"GroupId": "sg-80", "IpPermissions": rules}
    )
    assert ec2.open_ports(**OPEN) == "sg-80"


def rule(port: int, kind: str, name: str, peer: str, described: bool = True) -> dict[str, object]:
    words = {"IpRanges": "The port of the app", "UserIdGroupPairs": "The health check"}
    said = {"Description": words[kind]} if described else {}
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, kind: [{name: peer, **said}]}


WORLD = rule(80, "IpRanges", "CidrIp", "0.0.0.0/0")
PROBE = rule(80, "UserIdGroupPairs", "GroupId", "sg-probe")
OFFICE = rule(80, "IpRanges", "CidrIp", "198.51.100.0/24")


def test_a_group_that_is_there_and_right_is_left_alone(stub):
    group = {"GroupId": "sg-80", "IpPermissions": [WORLD, PROBE]}
    stub("ec2").add_response("describe_security_groups", {"SecurityGroups": [group]}, NAMED)
    assert ec2.open_ports(**OPEN) == "sg-80"


def test_a_group_that_somebody_else_creates_at_the_same_moment_is_used(stub):
    stub("ec2").add_response("describe_security_groups", {"SecurityGroups": []}, NAMED)
    stub("ec2").add_client_error("create_security_group", "InvalidGroup.Duplicate", "there is one", 400)
    group = {"GroupId": "sg-80", "IpPermissions": [WORLD, PROBE]}
    stub("ec2").add_response("describe_security_groups", {"SecurityGroups": [group]}, NAMED)
    assert ec2.open_ports(**OPEN) == "sg-80"


def test_a_group_of_somebody_else_that_ec2_does_not_show_yet_may_be_there_in_a_moment(stub):
    stub("ec2").add_response("describe_security_groups", {"SecurityGroups": []}, NAMED)
    stub("ec2").add_client_error("create_security_group", "InvalidGroup.Duplicate", "there is one", 400)
    stub("ec2").add_response("describe_security_groups", {"SecurityGroups": []}, NAMED)
    with pytest.raises(AwsUnavailableError):
        ec2.open_ports(**OPEN)


def test_a_group_is_not_created_if_ec2_refuses_it(stub):
    stub("ec2").add_response("describe_security_groups", {"SecurityGroups": []}, NAMED)
    stub("ec2").add_client_error("create_security_group", "SecurityGroupLimitExceeded", "too many", 400)
    with pytest.raises(AwsRefusedError):
        ec2.open_ports(**OPEN)


def test_a_port_that_somebody_else_opens_at_the_same_moment_is_opened_once(stub):
    stub("ec2").add_response("describe_security_groups", {"SecurityGroups": [{"GroupId": "sg-80"}]})
    stub("ec2").add_client_error(
        "authorize_security_group_ingress", "InvalidPermission.Duplicate", "it is open", 400
    )
    assert ec2.open_ports(**OPEN) == "sg-80"


@pytest.mark.parametrize(
    ("there", "cidr", "probe", "authorized", "revoked"),
    [
        # Narrowed: the world is out.
        ([WORLD], "198.51.100.0/24", "sg-probe", [OFFICE, PROBE], [WORLD]),
        # From one to another: that one is let in.
        (
            [OFFICE, PROBE],
            "203.0.113.0/24",
            "sg-probe",
            [rule(80, "IpRanges", "CidrIp", "203.0.113.0/24")],
            [OFFICE],
        ),
        # Widened: no rule names the probe's group any more.
        ([OFFICE, PROBE], "0.0.0.0/0", "", [WORLD], [OFFICE, PROBE]),
        ([OFFICE, PROBE], "198.51.100.0/24", "sg-probe", [], []),
        ([], "0.0.0.0/0", "", [], []),
    ],
)
def test_groups_let_in_whom_the_parameters_name_now_and_nobody_else(
    stub, there, cidr, probe, authorized, revoked
):
    found = {"SecurityGroups": [{"GroupId": "sg-80", "IpPermissions": there}]}
    stub("ec2").add_response("describe_security_groups", found)
    if authorized:
        request = {"GroupId": "sg-80", "IpPermissions": authorized}
        stub("ec2").add_response("authorize_security_group_ingress", {}, request)
    if revoked:
        stub("ec2").add_response(
            "revoke_security_group_ingress", {}, {"GroupId": "sg-80", "IpPermissions": revoked}
        )
    changed = ec2.hold_rules(stack="portcall", cidr=cidr, probe_group=probe)
    assert changed == (["sg-80"] if authorized or revoked else [])


def test_a_group_that_ec2_does_not_show_yet_may_be_there_in_a_moment(stub):
    stub("ec2").add_response("describe_security_groups", {"SecurityGroups": []}, NAMED)
    stub("ec2").add_response("create_security_group", {"GroupId": "sg-80"})
    stub("ec2").add_client_error("authorize_security_group_ingress", "InvalidGroup.NotFound", "which?", 400)
    with pytest.raises(AwsUnavailableError):
        ec2.open_ports(**OPEN)


def test_closes_the_ports_that_nobody_uses_and_no_other(stub):
    rules = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port} for port in (80, 443)]
    stub("ec2").add_response(
        "describe_security_groups", {"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": rules}]}
    )
    stub("ec2").add_response(
        "revoke_security_group_ingress", {}, {"GroupId": "sg-1", "IpPermissions": [rules[1]]}
    )
    ec2.close_ports(group="sg-1", ports=[443, 8443])


def test_a_group_in_use_is_not_deleted(stub):
    stub("ec2").add_client_error("delete_security_group", "DependencyViolation", "in use", 400)
    assert not ec2.delete_group("sg-1")


def test_reads_a_manifest_as_it_was_pushed(stub):
    expected = {
        "repositoryName": "web",
        "imageIds": [{"imageDigest": "sha256:1"}],
        "acceptedMediaTypes": ["one", "another"],
    }
    stub("ecr").add_response("batch_get_image", {"images": [{"imageManifest": "{}"}]}, expected)
    assert ecr.manifest(repository="web", digest="sha256:1", media_types=("one", "another")) == "{}"


def test_an_image_that_is_gone_says_so(stub):
    failures = [{"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}]
    stub("ecr").add_response("batch_get_image", {"images": [], "failures": failures})
    with pytest.raises(AwsRefusedError, match="Requested image not found"):
        ecr.manifest(repository="web", digest="sha256:1", media_types=("one",))


def test_a_scan_is_read_to_its_last_page(stub):
    asked = {"repositoryName": "web", "imageId": {"imageDigest": "sha256:" + "a" * 64}, "maxResults": 1000}
    status = {"imageScanStatus": {"status": "COMPLETE"}}
    basic = {"name": "CVE-1", "severity": "HIGH", "attributes": [{"key": "package_name", "value": "zlib"}]}
    enhanced = {"severity": "LOW", "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-2"}}
    ended = {"imageScanCompletedAt": datetime.now(UTC)}
    first = status | {"imageScanFindings": ended | {"findings": [basic]}, "nextToken": "more"}
    stub("ecr").add_response("describe_image_scan_findings", first, asked)
    second = status | {"imageScanFindings": ended | {"enhancedFindings": [enhanced]}}
    stub("ecr").add_response("describe_image_scan_findings", second, asked | {"nextToken": "more"})
    scan = ecr.scan_findings(repository="web", digest="sha256:" + "a" * 64)
    assert [each.line() for each in scan.findings] == ["HIGH CVE-1 in zlib", "LOW CVE-2"]
    assert (scan.finished, scan.under_way) == (True, False)


def test_an_image_that_was_never_scanned_has_a_scan_without_a_status(stub):
    stub("ecr").add_client_error("describe_image_scan_findings", "ScanNotFoundException")
    assert ecr.scan_findings(repository="web", digest="sha256:1") == Scan()


def test_an_image_that_is_gone_has_no_scan(stub):
    stub("ecr").add_client_error("describe_image_scan_findings", "ImageNotFoundException")
    with pytest.raises(AwsRefusedError, match="ImageNotFoundException"):
        ecr.scan_findings(repository="web", digest="sha256:1")


def test_the_parameters_of_an_app_are_those_right_below_its_path(stub):
    expected = {"ParameterFilters": [{"Key": "Path", "Option": "OneLevel", "Values": ["/portcall/team/web"]}]}
    found = [{"Name": "/portcall/team/web/TOKEN", "ARN": "arn:token"}]
    stub("ssm").add_response("describe_parameters", {"Parameters": found}, expected)
    assert ssm.parameters(path="/portcall/team/web/") == {"TOKEN": "arn:token"}


def test_people_get_text_and_machines_get_json(stub):
    expected = {
        "TopicArn": "arn:aws:sns:eu-west-1:111122223333:portcall",
        "Subject": "it is live",
        "MessageStructure": "json",
        "Message": json.dumps({"default": '{"outcome":"deployed"}', "email": "It is live."}),
        "MessageAttributes": {"app": {"DataType": "String", "StringValue": "flask-app"}},
    }
    stub("sns").add_response("publish", {"MessageId": "message-1"}, expected)
    news = Mail("it is live", "It is live.", {"outcome": "deployed"}, {"app": "flask-app"})
    message = sns.publish(topic="arn:aws:sns:eu-west-1:111122223333:portcall", mail=news)
    assert message == "message-1"


def test_a_failure_has_the_shape_of_a_failed_lambda(stub):
    cause = json.dumps({"errorType": "TaskStoppedError", "errorMessage": "exit code 1"})
    expected = {"taskToken": "token", "error": "TaskStoppedError", "cause": cause}
    stub("stepfunctions").add_response("send_task_failure", {}, expected)
    assert step_functions.send_task_failure(token="token", error="TaskStoppedError", cause="exit code 1")


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_an_answer_that_nobody_waits_for_is_fine(stub, code):
    stub("stepfunctions").add_client_error("send_task_success", code, "too late", 400)
    assert not step_functions.send_task_success(token="token", output={})


def test_reads_what_happened_in_an_execution_without_its_data(stub):
    execution = "arn:aws:states:eu-west-1:111122223333:execution:deploy:push-1"
    asked = {"executionArn": execution, "maxResults": 1000, "includeExecutionData": False}
    happened = {"timestamp": datetime(2026, 11, 26, tzinfo=UTC), "type": "ExecutionStarted", "id": 1}
    stub("stepfunctions").add_response("get_execution_history", {"events": [happened]}, asked)
    assert step_functions.history(execution) == [happened]
    stub("stepfunctions").add_client_error("get_execution_history", "ExecutionDoesNotExist")
    assert step_functions.history(execution) is None


def test_reads_the_last_lines_of_a_log(stub):
    events = [{"message": "one\n"}, {"message": "two"}]
    expected = {"logGroupName": "apps", "logStreamName": "stream", "limit": 30, "startFromHead": False}
    stub("logs").add_response("get_log_events", {"events": events}, expected)
    assert logs.tail(group="apps", stream="stream", lines=30) == ["one", "two"]


@pytest.mark.parametrize("read", [logs.tail, logs.newer])
def test_a_log_is_asked_for_since_a_time_in_milliseconds(stub, read):
    expected = {"logGroupName": "apps", "logStreamName": "stream", "limit": 30, "startFromHead": False}
    answer = {"events": [{"message": "new"}], "nextForwardToken": "f/1"}
    stub("logs").add_response("get_log_events", answer, expected | {"startTime": 1_800_000_000_000})
    assert "new" in str(read(group="apps", stream="stream", lines=30, since=1_800_000_000))


def test_an_empty_page_of_a_log_is_not_its_end(stub):
    first = {"logGroupName": "apps", "logStreamName": "stream", "limit": 30, "startFromHead": False}
    stub("logs").add_response("get_log_events", {"events": [], "nextBackwardToken": "b/1"}, first)
    second = first | {"nextToken": "b/1"}
    stub("logs").add_response("get_log_events", {"events": [{"message": "one"}]}, second)
    assert logs.tail(group="apps", stream="stream", lines=30) == ["one"]


def test_a_log_whose_token_stays_is_empty(stub):
    for _ in range(2):
        stub("logs").add_response("get_log_events", {"events": [], "nextBackwardToken": "b/1"})
    assert logs.tail(group="apps", stream="stream", lines=30) == []


def test_the_longest_log_of_all_fits_into_a_message(monkeypatch):
    """SNS takes 256 KiB, and the text is in it twice: once for people, once in the document."""
    sent = {}
    monkeypatch.setattr(sns, "client", lambda service: type("SNS", (), {"publish": staticmethod(lambda **request: sent.update(request) or {"MessageId": "1"})}))  # fmt: skip
    push = Push("deployment-1", "", "x" * 256, "v" * 128, "sha256:" + "a" * 64)
    why = Failure("Error", "failed", "\N{BUG}" * 100_000, "hint")
    context = Context("", "task", "apps", "stream", "eu-west-1", phases=[])
    for line in ("\N{BUG}" * 10_000, '"' * 10_000, "\\" * 10_000, "\x00" * 10_000):
        sns.publish(topic="topic", mail=failed(push, why, Standing(""), [line] * 3, [line] * 100, context))
        size = sum(len(str(part).encode()) for part in (sent["Message"], sent["Subject"], sent["MessageAttributes"]))  # fmt: skip
        assert size < 256 * 1024


def test_a_task_that_wrote_nothing_has_no_log(stub):
    stub("logs").add_client_error("get_log_events", "ResourceNotFoundException", "no stream", 400)
    assert logs.tail(group="apps", stream="stream", lines=30) == []


def test_a_revision_is_for_a_digest_and_says_whose_it_is(stub):
    push = Push("deployment-1", "", "team/web", "latest", "sha256:" + "a" * 64)
    request = task_definition.request(
        push,
        IMAGE,
        secrets={"TOKEN": "arn:token", "LEVEL": "arn:level"},
        stack="portcall",
        registry="registry.example",
        execution_role="execution",
        log_group="apps",
        region="eu-west-1",
    )
    assert request["family"] == "portcall_team_sweb"
    # With a task role the app would have credentials of the account.
    assert "taskRoleArn" not in request
    assert request["containerDefinitions"][0]["image"] == f"registry.example/team/web@{push.digest}"
    assert request["runtimePlatform"]["cpuArchitecture"] == "ARM64"
    (container,) = request["containerDefinitions"]
    assert container["environment"] == [{"name": "COLOUR", "value": "blue"}]
    assert container["secrets"] == [
        {"name": "LEVEL", "valueFrom": "arn:level"},
        {"name": "TOKEN", "valueFrom": "arn:token"},
    ]
    assert container["healthCheck"] == IMAGE.container_health
    stub("ecs").add_response(
        "register_task_definition", {"taskDefinition": {"taskDefinitionArn": "it"}}, request
    )
    assert ecs.register_task_definition(request) == "it"
    assert task_definition.log_stream("team/web", TASK) == "team/web/app/0f1e"
