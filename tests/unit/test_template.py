"""The template keeps its promises: safe defaults, words for people, least privilege."""

import json
import os
import re
from pathlib import Path
from typing import Any

from deployer.domain import operation
from deployer.settings import Watch
from samtranslator.yaml_helper import yaml_parse

from tests.conftest import FUNCTION_ENVIRONMENT

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
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


def test_every_output_says_what_to_do_with_it():
    for name, output in TEMPLATE["Outputs"].items():
        assert len(output["Description"].split()) > 3, name


def test_every_statement_has_a_reason():
    for name, statement in statements():
        assert re.fullmatch(r"[A-Z][A-Za-z]+", statement["Sid"]), name


def test_the_health_check_holds_next_to_nothing():
    granted = [actions(statement) for name, statement in statements() if name == "CheckHealthFunction"]
    assert granted == [{"dynamodb:GetItem"}]
    assert "Policies" not in RESOURCES["CheckAddressFunction"]["Properties"]


def test_no_address_is_promised_where_the_gateway_is_kept_out():
    rule = TEMPLATE["Rules"]["TheGatewayReachesTheApps"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "StableUrl"}, "on"]}
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Equals": [{"Ref": "AllowedCidr"}, "0.0.0.0/0"]}


def test_the_apps_may_do_nothing_in_aws():
    """Tasks get no role of their own, so the only one that may be passed is what Fargate itself starts them with."""
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
    assert command == operation.deploy_command(
        function="any", region="eu-west-1", app="flask-app", tag="latest"
    )


def test_the_environment_of_the_tests_is_that_of_the_template():
    variables = set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    assert variables == {name for name in FUNCTION_ENVIRONMENT if not name.startswith("AWS_")}
    assert variables <= set(os.environ)


def test_logs_do_not_stay_for_ever():
    for resource in RESOURCES.values():
        if resource["Type"] == "AWS::Logs::LogGroup":
            assert "RetentionInDays" in resource["Properties"]


def test_what_needs_the_service_linked_role_of_ecs_comes_after_a_role_that_names_the_cluster():
    """CloudFormation waits for each role that it makes, but not for the one that ECS makes with the first cluster."""
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
    watch = Watch("machine", ("flask-app", "team/*", ""), "*")
    assert watch.watches("flask-app")
    assert watch.watches("team/web")
    assert not watch.watches("flask-app-2")


def test_no_tagged_image_expires():
    texts = [
        RESOURCES["Repository"]["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"],
        RESOURCES["RepositoryTemplate"]["Properties"]["LifecyclePolicy"],
    ]
    for text in texts:
        (rule,) = json.loads(text)["rules"]
        assert rule["selection"]["tagStatus"] == "untagged"
        assert rule["selection"]["countType"] == "sinceImagePushed"


def test_a_repository_goes_with_the_stack_alone():
    repository = RESOURCES["Repository"]
    assert (repository["DeletionPolicy"], repository["UpdateReplacePolicy"]) == (
        "RetainExceptOnCreate",
        "Retain",
    )
    assert repository["Properties"]["Tags"] == [{"Key": "portcall:stack", "Value": {"Ref": "AWS::StackName"}}]


def test_what_is_in_the_vpc_is_in_the_one_that_was_given():
    """Whatever names the VPC or its subnets without asking whose they are is made with it alone."""
    ours = {name for name, resource in RESOURCES.items() if resource.get("Condition") == "MakesTheVpc"}
    assert {"Vpc", "SubnetA", "SubnetB", "PublicRouteTable"} <= ours
    chosen = {"Fn::If": ["MakesTheVpc", {"Ref": "Vpc"}, {"Ref": "VpcId"}]}
    for name, resource in RESOURCES.items():
        if "VpcId" in resource.get("Properties", {}) and name not in ours:
            assert resource["Properties"]["VpcId"] == chosen, name
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["VPC_ID"] == chosen
    given = {"Fn::Split": [",", {"Ref": "SubnetIds"}]}
    made = [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]
    inside = RESOURCES["CheckHealthFunction"]["Properties"]["VpcConfig"]["Fn::If"][1]
    assert inside["SubnetIds"] == {"Fn::If": ["MakesTheVpc", made, given]}
