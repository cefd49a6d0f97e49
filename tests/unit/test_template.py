"""The template: safe defaults, clear descriptions, least privilege."""

import importlib
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from deployer import ready
from deployer.domain import operation
from deployer.settings import WatchSettings
from ministack.services import eventbridge

from scan.transformed import transformed
from tests.conftest import FUNCTION_ENVIRONMENT
from tests.templates import resolved, template

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = template()
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]


def statements() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name, resource in RESOURCES.items():
        properties = resource.get("Properties", {})
        for policy in properties.get("Policies", []):
            document = policy.get("PolicyDocument", policy)
            # With all that only some parameters bring.
            given = [each["Fn::If"][1] if "Fn::If" in each else each for each in document["Statement"]]
            found += [(name, statement) for statement in given]
    return found


def actions(statement: dict[str, Any]) -> set[str]:
    return {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])


def test_every_parameter_has_words_and_a_default():
    for name, parameter in TEMPLATE["Parameters"].items():
        assert parameter["Description"].endswith("."), name
        assert "Default" in parameter, name


def test_the_email_is_asked_for_first():
    assert next(iter(TEMPLATE["Parameters"])) == "Email"


def test_the_console_asks_for_six_parameters_first_and_for_each_once():
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    first, *others = [(group["Label"]["default"], group["Parameters"]) for group in groups]
    assert first == (
        "First",
        ["Email", "RepositoryName", "RepositoryPattern", "AllowedCidr", "StableUrl", "Environments"],
    )
    assert all(label.startswith("Advanced: ") for label, _ in others)
    asked = [name for group in groups for name in group["Parameters"]]
    assert sorted(asked) == sorted(TEMPLATE["Parameters"])


def test_the_stack_says_its_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert TEMPLATE["Metadata"]["Portcall"]["Version"] == TEMPLATE["Outputs"]["Version"]["Value"] == version


def test_every_output_says_what_to_do_with_it():
    for name, output in TEMPLATE["Outputs"].items():
        assert len(output["Description"].split()) > 3, name


def test_every_statement_has_a_reason():
    for name, statement in statements():
        assert re.fullmatch(r"[A-Z][A-Za-z]+", statement["Sid"]), name


def test_the_health_check_holds_next_to_nothing():
    granted = [actions(statement) for name, statement in statements() if name == "CheckHealthFunction"]
    assert granted == [{"dynamodb:GetItem"}]
    assert "Policies" not in RESOURCES["CheckStableUrlFunction"]["Properties"]


def test_no_address_is_promised_where_the_gateway_is_kept_out():
    rule = TEMPLATE["Rules"]["StableUrlNeedsPublicApps"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "StableUrl"}, "on"]}
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Equals": [{"Ref": "AllowedCidr"}, "0.0.0.0/0"]}


def test_the_apps_may_do_nothing_in_aws():
    """Tasks have no task role, so the only role that may be passed is the execution role."""
    passed = [each["Resource"] for _, each in statements() if actions(each) == {"iam:PassRole"}]
    assert passed
    assert all(each == {"Fn::GetAtt": ["ExecutionRole", "Arn"]} for each in passed), passed


def test_nothing_has_a_fixed_name():
    """Two installs live side by side; the repository's name alone is the user's choice."""
    named = ("BucketName", "ClusterName", "FunctionName", "LogGroupName", "QueueName", "RoleName", "TableName", "TopicName")  # fmt: skip
    for resource in RESOURCES.values():
        for name in named:
            assert "AWS::Stack" in str(resource.get("Properties", {}).get(name, "AWS::Stack"))


def test_mails_name_the_function_that_deploys_again():
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["OPERATE_FUNCTION"] == RESOURCES["OperateFunction"]["Properties"]["FunctionName"]
    command = TEMPLATE["Outputs"]["DeployAgain"]["Value"]["Fn::Sub"]
    names = {"OperateFunction": "any", "AWS::Region": "eu-west-1", "RepositoryName": "flask-app"}
    for parameter, value in names.items():
        command = command.replace(f"${{{parameter}}}", value)
    assert command == operation.command(
        "deploy", function="any", region="eu-west-1", app="flask-app", tag="latest"
    )


def test_the_environment_of_the_tests_is_that_of_the_template():
    variables = set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    assert variables == {name for name in FUNCTION_ENVIRONMENT if not name.startswith("AWS_")}
    assert variables <= set(os.environ)


def test_logs_do_not_stay_for_ever():
    for resource in RESOURCES.values():
        if resource["Type"] == "AWS::Logs::LogGroup":
            assert "RetentionInDays" in resource["Properties"]


def test_capacity_providers_wait_for_the_service_linked_role_of_ecs():
    """CloudFormation waits for each role that it creates, but not for the one that ECS creates with the first cluster."""
    assert "CapacityProviders" not in RESOURCES["Cluster"].get("Properties", {})
    assert RESOURCES["ClusterCapacityProviders"]["DependsOn"] == "CleanUpFunction"
    assert "${Cluster}" in str(RESOURCES["CleanUpFunction"]["Properties"]["Policies"])


def test_apps_are_stopped_before_their_capacity_provider_is_taken_away():
    assert "ClusterCapacityProviders" in RESOURCES["CleanUp"]["DependsOn"]


def patterns_of(resource: str, event: str) -> list[Any]:
    return list(
        RESOURCES[resource]["Properties"]["Events"][event]["Properties"]["Pattern"]["detail"]["repository-name"]
    )


def test_the_repository_is_watched_whatever_else_is():
    both = [{"Ref": "RepositoryName"}, {"Fn::If": ["WatchesMoreRepositories", {"wildcard": {"Ref": "RepositoryPattern"}}, {"Ref": "AWS::NoValue"}]}]  # fmt: skip
    assert patterns_of("DeployStateMachine", "ImagePushed") == both
    assert patterns_of("EndPreviewFunction", "TagDeleted") == both
    variables = RESOURCES["ReconcileFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["REPOSITORY_PATTERNS"] == {"Fn::Sub": "${RepositoryName},${RepositoryPattern}"}
    named = [statement for _, statement in statements() if "${RepositoryPattern}" in str(statement["Resource"])]
    assert len(named) >= 5
    assert all("${RepositoryName}" in str(statement["Resource"]) for statement in named)


def test_the_sweep_watches_every_pattern_and_an_empty_one_matches_nothing():
    watch = WatchSettings("machine", ("flask-app", "team/*", ""), ("*",))
    assert watch.watches("flask-app")
    assert watch.watches("team/web")
    assert not watch.watches("flask-app-2")


@pytest.mark.parametrize(
    ("patterns", "matchers"),
    [
        ("*", [{"anything-but": [""]}]),
        ("latest", [{"wildcard": "latest"}]),
        ("latest,pr-*", [{"wildcard": "latest"}, {"wildcard": "pr-*"}]),
        ("a,b,c,d*,*-e", [{"wildcard": each} for each in ("a", "b", "c", "d*", "*-e")]),
    ],
)
def test_every_pattern_for_tags_is_one_that_eventbridge_matches_and_the_sweep_watches(patterns, matchers):
    found = resolved(template(), {"TagPattern": patterns, "Environments": "tag"})
    rules = [each["EventPattern"]["detail"] for kind, each in found.values() if kind == "AWS::Events::Rule" and "image-tag" in str(each)]  # fmt: skip
    assert [rule["image-tag"] for rule in rules] == [matchers] * 3  # pushes, twice, and deletions
    watched = [each["Environment"]["Variables"].get("TAG_PATTERNS") for kind, each in found.values() if kind == "AWS::Lambda::Function"]  # fmt: skip
    assert [each for each in watched if each is not None] == [patterns] * 3


def test_a_tag_is_watched_that_one_of_the_patterns_matches():
    watch = WatchSettings("machine", ("flask-app",), ("latest", "pr-*"))
    assert [tag for tag in ("latest", "pr-7", "1.2.3", "latest-1", "my-pr-7") if watch.watches_tag(tag)] == ["latest", "pr-7"]  # fmt: skip


@pytest.mark.parametrize("last", ["RUNNING", "DEPROVISIONING", "STOPPED"])
def test_each_event_of_an_unexpected_stop_wakes_the_restart(last):
    """One of these events is enough to restart the app and to point its stable URL elsewhere."""
    pattern = resolved(template(), {})["RestartAppFunctionTaskStops"][1]["EventPattern"]
    cluster = pattern["detail"]["clusterArn"][0]
    detail = {"clusterArn": cluster, "lastStatus": last, "desiredStatus": "STOPPED"}
    event = {"Source": "aws.ecs", "DetailType": "ECS Task State Change"}
    crash = {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"}
    asked = {"stopCode": "UserInitiated", "stoppedReason": "Portcall: another version took over"}
    found = [
        eventbridge._matches_pattern(json.dumps(pattern), event | {"Detail": json.dumps(detail | why)})
        for why in (crash, asked)
    ]
    assert found == [True, False]


def test_a_call_that_only_wakes_a_function_does_not_wait_for_hours():
    """Otherwise Lambda would keep a throttled one for six hours, and run it when the concurrency is needed."""
    targets = [
        each for name in ("WakeOnPush", "WakeOnTaskStart") for each in RESOURCES[name]["Properties"]["Targets"]
    ]
    woken = {target["Arn"]["Fn::GetAtt"][0] for target in targets}
    called = {name for name, each in RESOURCES.items() if each.get("Properties", {}).get("Events")}
    given = {
        name: each["Properties"]["EventInvokeConfig"]
        for name, each in RESOURCES.items()
        if "EventInvokeConfig" in each.get("Properties", {})
    }
    # An event that a function handles is worth more than one attempt.
    assert set(given) == woken - called
    assert len(given) == 8
    shortest = {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
    assert all(each == shortest for each in given.values())


def test_no_tagged_image_expires():
    texts = [
        RESOURCES["Repository"]["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"],
        RESOURCES["RepositoryTemplate"]["Properties"]["LifecyclePolicy"],
    ]
    for text in texts:
        (rule,) = json.loads(text)["rules"]
        assert rule["selection"]["tagStatus"] == "untagged"
        # By age, a version that ran for months would be gone a day after the push that replaced it.
        assert rule["selection"]["countType"] == "imageCountMoreThan"


def test_a_repository_goes_with_the_stack_alone():
    repository = RESOURCES["Repository"]
    assert (repository["DeletionPolicy"], repository["UpdateReplacePolicy"]) == (
        "RetainExceptOnCreate",
        "Retain",
    )
    assert repository["Properties"]["Tags"] == [{"Key": "portcall:stack", "Value": {"Ref": "AWS::StackName"}}]


def test_resources_use_the_given_vpc_or_else_the_created_one():
    """Whatever names the VPC or its subnets without asking whose they are is made with it alone."""
    ours = {name for name, resource in RESOURCES.items() if resource.get("Condition") == "CreatesVpc"}
    assert {"Vpc", "SubnetA", "SubnetB", "PublicRouteTable"} <= ours
    chosen = {"Fn::If": ["CreatesVpc", {"Ref": "Vpc"}, {"Ref": "VpcId"}]}
    for name, resource in RESOURCES.items():
        if "VpcId" in resource.get("Properties", {}) and name not in ours:
            assert resource["Properties"]["VpcId"] == chosen, name
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["VPC_ID"] == chosen
    given = {"Fn::Split": [",", {"Ref": "SubnetIds"}]}
    made = [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]
    inside = RESOURCES["CheckHealthFunction"]["Properties"]["VpcConfig"]["Fn::If"][1]
    assert inside["SubnetIds"] == {"Fn::If": ["CreatesVpc", made, given]}


# Parameter -> values that must pass, and values that AWS or Portcall could not use.
VALUES: dict[str, tuple[list[str], list[str]]] = {
    "Email": (
        ["", "you@example.com", "a.b+c@mail.example.co.uk"],
        ["you", "you@", "@example.com", "you@example", "you@example.", "you@a b.com", "a@b@c.com"],
    ),
    "RepositoryName": (
        ["flask-app", "team/flask-app", "a1", "a/b.c_d-e"],
        ["Flask", "-app", "app-", "a//b", "/a", "a/", "a..b", "a b", "a*", ""],
    ),
    "RepositoryPattern": (
        ["", "*", "team/*", "*-app", "*/web/*", "flask-app"],
        ["**", "team/**", "Team/*", "team *", "team/?", "a,b"],
    ),
    "CreateRepositories": (["", "ROOT", "team", "team/web"], ["root/", "/team", "team/", "team/*", "ROOT2", "Team"]),
    "TagPattern": (
        ["*", "latest", "v*", "*-prod", "V1.2_3-x", "latest,pr-*", "a,b,c,d,e*", ",".join(["t" * 128] * 5)],
        ["", "**", "v**", "-v", ".v", "a b", "a/b", "v?", "latest, pr-*", "latest,", ",latest", "a,,b", "*,a", "a,*",
         "a,*,b", "a,b**", "a,-b", "a,b,c,d,e,f", "t" * 129, "a," + "t" * 129],
    ),
    "LastingTags": (["latest", "v*", "*", "latest,main"], ["", "**", "a**b", "-a", "a:b", "latest,*", "latest, main"]),
    "TaskMemory": (["512", "1024", "122880"], ["0", "", "0512", "99", "1G", "-512", "1e3"]),
    "AllowedCidr": (
        ["0.0.0.0/0", "203.0.113.0/24", "203.0.113.7/32", "10.0.0.0/8", "255.255.255.255/32"],
        [
            "999.1.1.1/99", "256.0.0.0/8", "1.2.3.4/33", "1.2.3.4", "1.2.3/24", "01.2.3.4/24", "1.2.3.4/024",
            "1.2.3.4/0", "::/0", "", "1.2.3.4/24,5.6.7.8/24",
        ],
    ),
    "VpcId": (["", "vpc-0a1b2c3d", "vpc-0123456789abcdef0"], ["vpc-", "vpc-0A1B2C3D", "vpc-123", "subnet-0a1b2c3d"]),
    "SubnetIds": (
        ["", "subnet-0a1b2c3d", "subnet-0123456789abcdef0,subnet-0123456789abcdef1"],
        ["subnet-0a1b2c3d,", "subnet-0a1b2c3d, subnet-0a1b2c3e", "vpc-0a1b2c3d", ","],
    ),
    "RouteTableIds": (["", "existing", "rtb-0a1b2c3d,rtb-0a1b2c3e"], ["Existing", "existing,rtb-0a1b2c3d", "rtb-"]),
    "GitHubRepository": (
        ["", "my-org/my-app", "a/.github", "A1/b_c.d"],
        ["my-org", "my-org/", "/app", "a/b/c", "my org/app", "my-org/*", "*/app", "-a/b", "my_org/app", "a/b:c", "a@1/b@2"],
    ),
    "GitHubEnvironment": (["", "production", "pr-7", "eu.west_1"], ["*", "pr-*", "a:b", "a b", "-a", "a/b", "a" * 256]),
    "GitHubOrgId": (["", "1", "123456789"], ["0", "*", "12*", "my-org", "-1", "01", "1" * 20]),
    "GitHubRepoId": (["", "1", "123456789"], ["0", "*", "12*", "my-app", "-1", "01", "1" * 20]),
    "GitLabProject": (
        ["", "my-group/my-app", "a/b/c.d"], ["my-app", "a/", "/a", "a//b", "a/*", "a/b:ref_type", "a b/c", "g/" + "a" * 254],
    ),
    "GitLabBranch": (["main", "*", "release/*"], ["", "a b", "main:ref", "ma?n", "a" * 256]),
    "HealthPath": (["/", "/health?x=1"], ["", "health", "/a b", "/\u00e9"]),
}  # fmt: skip


def takes(name: str, value: str) -> bool:
    """As CloudFormation does, whose patterns match the whole value."""
    parameter = TEMPLATE["Parameters"][name]
    length = parameter.get("MinLength", 0) <= len(value) <= parameter.get("MaxLength", 4096)
    return length and re.fullmatch(parameter["AllowedPattern"], value) is not None


def test_every_pattern_of_a_parameter_is_tried():
    assert set(VALUES) == {name for name, each in TEMPLATE["Parameters"].items() if "AllowedPattern" in each}


@pytest.mark.parametrize("name", VALUES)
def test_a_parameter_takes_what_can_be_used_and_refuses_in_words_what_cannot(name: str):
    good, bad = VALUES[name]
    assert [value for value in good if not takes(name, value)] == []
    assert [value for value in bad if takes(name, value)] == []
    assert TEMPLATE["Parameters"][name]["ConstraintDescription"].startswith("must be ")


# ── Waking steps ahead of their turn

WOKEN = {
    target["Id"]: target
    for rule in ("WakeOnPush", "WakeOnTaskStart")
    for target in RESOURCES[rule]["Properties"]["Targets"]
}
# The states that each successful push passes. AdmitPush is called too early to be woken.
PATH_TO_LIVE = {"ReadImage", "RegisterTaskDefinition", "RunTask", "WaitForRunning", "RecordTaskState", "ResolvePublicIp", "CheckHealth", "SwitchOver", "PublishUrl"}  # fmt: skip


def test_each_step_of_a_deployment_is_woken_and_knows_the_call():
    assert set(WOKEN) == PATH_TO_LIVE
    for name, target in WOKEN.items():
        function = f"{name}Function"
        assert target["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
        assert json.loads(target["Input"]) == ready.WAKE
        module = importlib.import_module(RESOURCES[function]["Properties"]["Handler"].removesuffix(".handler"))
        # Without an event's keys it would raise.
        assert module.handler(dict(ready.WAKE), None) is None


def test_no_more_steps_are_woken_at_a_time_than_a_new_account_may_run():
    """Ten functions; the push is admitted, or the task's first event recorded, at the same time."""
    for rule in ("WakeOnPush", "WakeOnTaskStart"):
        assert len(RESOURCES[rule]["Properties"]["Targets"]) <= 5


def test_eventbridge_offers_a_call_to_wake_a_step_for_a_minute_only():
    assert all(target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0} for target in WOKEN.values())  # fmt: skip


def test_eventbridge_may_call_each_function_that_a_rule_names():
    found = transformed(ROOT / "template.yaml")["Resources"]
    allowed = {
        (str(each["Properties"]["FunctionName"]), str(each["Properties"].get("SourceArn")))
        for each in found.values()
        if each["Type"] == "AWS::Lambda::Permission"
    }
    # SAM names a function by Ref, a connector by its ARN.
    allowed |= {
        (function.replace("'Ref': ", "'Fn::GetAtt': [").replace("}", ", 'Arn']}"), source)
        for function, source in allowed
    }
    for name, rule in found.items():
        if rule["Type"] == "AWS::Events::Rule":
            source = str({"Fn::GetAtt": [name, "Arn"]})
            functions = [
                each["Arn"] for each in rule["Properties"]["Targets"] if "Function" in str(each["Arn"])
            ]
            assert all((str(function), source) in allowed for function in functions), name


def test_all_functions_are_built_alike_so_that_sam_builds_them_once():
    functions = [each for each in RESOURCES.values() if each["Type"] == "AWS::Serverless::Function"]
    assert all(each["Metadata"] == {"BuildMethod": "python-uv"} for each in functions)
