"""Each function's role allows exactly the calls that its code makes."""

import ast
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from tests import policies
from tests.unit.test_template import RESOURCES, actions, statements
from tests.unit.test_workflow_contract import FUNCTIONS

DEPLOYER = Path(__file__).parents[2] / "functions" / "deployer"
CORE = Path(__file__).parents[2] / "portcall" / "core"
PASS_ROLE = "iam:PassRole"
# What each function of `aws/` needs. The keys are held against the code below.
NEEDS = {
    "apigateway.create_stable_url": {"apigateway:GET", "apigateway:POST"},
    "apigateway.update_target": {"apigateway:PATCH"},
    "apigateway.stable_urls_of": {"apigateway:GET"},
    "apigateway.delete_stable_url": {"apigateway:DELETE"},
    "ecr.digest_of": {"ecr:DescribeImages"},
    "ecr.has_image": {"ecr:DescribeImages"},
    "ecr.has_repository": {"ecr:DescribeImages"},
    "ecr.size_of": {"ecr:DescribeImages"},
    "ecr.repositories_of": {"ecr:DescribeRepositories", "ecr:ListTagsForResource"},
    "ecr.delete_repository": {"ecr:DeleteRepository"},
    "ecr.manifest": {"ecr:BatchGetImage"},
    "ecr.blob": {"ecr:GetDownloadUrlForLayer"},
    "ecr.repositories": {"ecr:DescribeRepositories"},
    # ECR asks Inspector in the name of its caller, where scanning is enhanced.
    "ecr.scan_findings": {
        "ecr:DescribeImageScanFindings",
        "inspector2:ListCoverage",
        "inspector2:ListFindings",
    },
    "ecr.tagged_images": {"ecr:DescribeImages"},
    "ec2.addresses": {"ec2:DescribeNetworkInterfaces"},
    "ec2.open_ports": {
        "ec2:CreateSecurityGroup",
        "ec2:CreateTags",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:RevokeSecurityGroupIngress",
        "ec2:DescribeSecurityGroups",
    },
    "ec2.hold_rules": {
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:RevokeSecurityGroupIngress",
        "ec2:DescribeSecurityGroups",
    },
    "ec2.close_ports": {"ec2:DescribeSecurityGroups", "ec2:RevokeSecurityGroupIngress"},
    "ec2.groups_of": {"ec2:DescribeSecurityGroups"},
    "ec2.delete_group": {"ec2:DeleteSecurityGroup"},
    "ecs.register_task_definition": {"ecs:RegisterTaskDefinition", "ecs:TagResource", PASS_ROLE},
    "ecs.run_task": {"ecs:RunTask", "ecs:TagResource", PASS_ROLE},
    "ecs.describe_task": {"ecs:DescribeTasks"},
    "ecs.tasks_started_by": {"ecs:ListTasks"},
    "ecs.stop_task": {"ecs:StopTask"},
    "ecs.running_tasks": {"ecs:ListTasks", "ecs:DescribeTasks"},
    "ecs.tasks_in": {"ecs:ListTasks", "ecs:DescribeTasks"},
    "ecs.revisions_of": {"ecs:ListTaskDefinitionFamilies", "ecs:ListTaskDefinitions"},
    "ecs.deregister_task_definition": {"ecs:DeregisterTaskDefinition"},
    "ecs.delete_task_definitions": {"ecs:DeleteTaskDefinitions"},
    "events.put_event": {"events:PutEvents"},
    "ledger.name_app": {"dynamodb:UpdateItem"},
    "ledger.claim": {"dynamodb:UpdateItem"},
    "ledger.next_in_order": {"dynamodb:UpdateItem"},
    "ledger.note_in_order": {"dynamodb:UpdateItem"},
    "ledger.tag": {"dynamodb:GetItem"},
    "ledger.tags": {"dynamodb:Query"},
    "ledger.claim_tag": {"dynamodb:UpdateItem"},
    "ledger.record_tag": {"dynamodb:UpdateItem"},
    "ledger.image": {"dynamodb:GetItem"},
    "ledger.put_image": {"dynamodb:UpdateItem"},
    "ledger.deployment": {"dynamodb:GetItem"},
    "ledger.newest": {"dynamodb:GetItem"},
    "ledger.app_pushes": {"dynamodb:GetItem"},
    "ledger.is_newest": {"dynamodb:UpdateItem"},
    "ledger.current": {"dynamodb:GetItem"},
    "ledger.make_current": {"dynamodb:PutItem", "dynamodb:ConditionCheckItem"},
    "ledger.change_current": {"dynamodb:PutItem"},
    "ledger.abandon": {"dynamodb:UpdateItem"},
    "ledger.end_current": {"dynamodb:DeleteItem", "dynamodb:UpdateItem"},
    "ledger.take_slot": {"dynamodb:UpdateItem"},
    "ledger.free_slot": {"dynamodb:UpdateItem", "dynamodb:ConditionCheckItem"},
    "ledger.note_under_way": {"dynamodb:UpdateItem"},
    "ledger.note_ended": {"dynamodb:UpdateItem"},
    "ledger.note_test_mail": {"dynamodb:UpdateItem"},
    "ledger.note_mail": {"dynamodb:UpdateItem"},
    "ledger.move_slot": {"dynamodb:UpdateItem"},
    "ledger.taken_slots": {"dynamodb:GetItem"},
    "ledger.record": {"dynamodb:UpdateItem"},
    "ledger.record_push": {"dynamodb:UpdateItem", "dynamodb:ConditionCheckItem"},
    "ledger.note_operation": {"dynamodb:UpdateItem"},
    "ledger.answer_operation": {"dynamodb:UpdateItem"},
    "ledger.operations": {"dynamodb:Query"},
    "ledger.mails_this_second": {"dynamodb:UpdateItem"},
    "ledger.close_push": {"dynamodb:UpdateItem"},
    "ledger.mark_notified": {"dynamodb:UpdateItem"},
    "ledger.find": {"dynamodb:Query"},
    "ledger.deployments": {"dynamodb:Query"},
    "ledger.open_deployments": {"dynamodb:GetItem"},
    "ledger.named": {"dynamodb:GetItem"},
    "ledger.unclaimed": {"dynamodb:GetItem"},
    "ledger.close": {"dynamodb:UpdateItem"},
    "ledger.unmailed": {"dynamodb:GetItem"},
    "ledger.add_unmailed": {"dynamodb:UpdateItem"},
    "ledger.remove_unmailed": {"dynamodb:UpdateItem"},
    "ledger.apps": {"dynamodb:Query"},
    "ledger.overview": {"dynamodb:BatchGetItem", "dynamodb:Query"},
    "ledger.list_app": {"dynamodb:UpdateItem"},
    "ledger.unlist_app": {"dynamodb:UpdateItem"},
    "ledger.begin_sweep": {"dynamodb:DescribeTable", "dynamodb:UpdateItem"},
    "ledger.note_sweep": {"dynamodb:UpdateItem"},
    "ledger.end_sweep": {"dynamodb:UpdateItem"},
    "ledger.last_sweep": {"dynamodb:GetItem"},
    "logs.newer": {"logs:GetLogEvents"},
    "logs.tail": {"logs:GetLogEvents"},
    "task_states.last_known": {"dynamodb:GetItem"},
    "task_states.raise_if_stopped": {"dynamodb:GetItem"},
    "task_states.store_token": {"dynamodb:UpdateItem"},
    "task_states.store_task": {"dynamodb:UpdateItem"},
    "sns.publish": {"sns:Publish"},
    "sns.subscriptions": {"sns:GetTopicAttributes"},
    "ssm.parameters": {"ssm:DescribeParameters"},
    "step_functions.send_task_success": {"states:SendTaskSuccess"},
    "step_functions.send_task_failure": {"states:SendTaskFailure"},
    "step_functions.start_execution": {"states:StartExecution"},
    "step_functions.ending": {"states:DescribeExecution"},
    "step_functions.history": {"states:GetExecutionHistory"},
    "step_functions.execution_of": set(),
}


def public_functions() -> set[str]:
    """Those that the modules of `aws/` define, and those that its packages say they have."""
    defined = {
        f"{path.stem}.{node.name}"
        for path in (DEPLOYER / "aws").glob("*.py")
        if path.stem not in ("client", "items", "ledger_keys", "table")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    exported = {
        f"{path.parent.name}.{alias.name}"
        for path in (DEPLOYER / "aws").glob("*/__init__.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ImportFrom) and node.module.startswith(f"deployer.aws.{path.parent.name}.")
        for alias in node.names
        if alias.name.islower()
    }
    return defined | exported


def calls(path: Path, seen: frozenset[Path] = frozenset()) -> set[str]:
    """The functions of `aws/` that a module calls, itself or through `actions`."""
    tree = ast.parse(path.read_text())
    modules: dict[str, str] = {}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "deployer.aws":
            modules |= {alias.asname or alias.name: alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module == "deployer.actions":
            for alias in node.names:
                helper = DEPLOYER / "actions" / f"{alias.name}.py"
                if helper not in seen:
                    found |= calls(helper, seen | {path})
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            found.add(f"{modules[node.value.id]}.{node.attr}")
    return found & set(NEEDS)


def test_the_table_names_every_call():
    assert set(NEEDS) == public_functions()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_role_allows_what_its_function_calls_and_nothing_else(name):
    _, room, module, _ = FUNCTIONS[name]["Properties"]["Handler"].split(".")
    needed = {action for call in calls(DEPLOYER / room / f"{module}.py") for action in NEEDS[call]}
    granted = {action for owner, statement in statements() if owner == name for action in actions(statement)}
    assert granted == needed


def test_no_role_of_a_function_goes_unchecked():
    checked = {name for name, _ in statements() if RESOURCES[name]["Type"] == "AWS::Serverless::Function"}
    assert set(FUNCTIONS) - checked == {"CheckStableUrlFunction"}


# https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
PUSHES = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:CompleteLayerUpload",
    "ecr:GetAuthorizationToken",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
}
PULLS = {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
# Of `portcall wait` with a tag; without one it lists the apps, which may be other people's.
WAITS = ("ecr.digest_of", "ledger.current", "ledger.deployments")
TAGS = {"Environments": "tag", "CreateRepositories": "team", "RepositoryPattern": "team/*"}


@pytest.mark.parametrize(
    ("parameters", "more"), [({}, set()), (TAGS, {"ecr:BatchDeleteImage", "ecr:CreateRepository"})]
)
def test_a_pusher_may_push_wait_and_end_previews_and_nothing_else(parameters, more):
    granted = [each for each in policies.statements(**parameters) if each.role == "PusherPolicy"]
    waits = {action for call in WAITS for action in NEEDS[call]} | {"cloudformation:DescribeStacks"}
    assert {action for each in granted for action in each.actions} == PUSHES | PULLS | waits | more
    watched = {f"arn:aws:ecr:eu-west-1:111122223333:repository/{each}" for each in ("flask-app", "team/*")}
    reached = {
        one for each in granted if each.sid != "LogInToRegistry" for one in each.resources if ":ecr:" in one
    }
    assert reached <= watched


def asked_directly(path: Path) -> set[str]:
    """The actions of the calls that a module of the command line makes by clients of its own."""
    tree = ast.parse(path.read_text())
    made = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    words = {
        argument.value
        for call in made
        for argument in call.args
        if isinstance(call.func, ast.Attribute | ast.Name) and isinstance(argument, ast.Constant)
    }
    called = [call.func for call in made if isinstance(call.func, ast.Attribute)]
    # `socket` has a create_connection, too.
    named = {func.attr for func in called if getattr(func.value, "id", "") != "socket"} | words
    session = botocore.session.get_session()
    found = set()
    for service in words & set(session.get_available_services()):
        prefix = {"service-quotas": "servicequotas", "stepfunctions": "states"}.get(service, service)
        operations = session.get_service_model(service).operation_names
        found |= {f"{prefix}:{each}" for each in operations if xform_name(each) in named}
    return found


# All credentials may ask whose they are.
FREE = {"sts:GetCallerIdentity"}
# The operation; its action is lambda:InvokeFunction.
OF_OPERATORS = {"lambda:Invoke"}
# `portcall plan` of an image in ECR reads it, which is more than to look: the pusher's policy has that.
READS_IMAGES = {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
WRITES_SECRETS = {"ssm:DeleteParameter", "ssm:PutParameter"}
# What CloudWatch asks in the name of who opens it; the one function that may be called only reads.
OF_THE_DASHBOARD = {
    "cloudwatch:GetDashboard",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListDashboards",
    "lambda:InvokeFunction",
}


def test_a_viewer_may_do_what_the_commands_ask_and_nothing_else():
    files = [*CORE.rglob("*.py")]
    asked = {action for path in files for call in calls(path) for action in NEEDS[call]}
    asked |= {action for path in files for action in asked_directly(path)}
    found = [each for each in policies.statements(Dashboard="off") if each.role == "ViewerPolicy"]
    granted = {action for each in found for action in each.actions}
    assert granted == asked - FREE - OF_OPERATORS - READS_IMAGES - WRITES_SECRETS
    pusher = RESOURCES["PusherPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert {action for each in pusher if "Sid" in each for action in actions(each)} >= READS_IMAGES
    reads = ("BatchGet", "Describe", "Get", "List", "Query")
    assert all(action.partition(":")[2].startswith(reads) for action in granted)


def test_a_viewer_may_open_the_dashboard_where_there_is_one():
    found = {
        install: {
            each.sid: each for each in policies.statements(Dashboard=install) if each.role == "ViewerPolicy"
        }
        for install in ("on", "off")
    }
    more = [each for sid, each in found["on"].items() if sid not in found["off"]]
    assert {action for each in more for action in each.actions} == OF_THE_DASHBOARD
    (invoked,) = (each.resources for each in more if each.actions == ("lambda:InvokeFunction",))
    assert [each.rpartition(":")[2] for each in invoked] == ["portcall-DashboardFunction"]


def test_who_sets_secrets_reads_none():
    statements = RESOURCES["SecretsPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    granted = {action for each in statements for action in actions(each)}
    assert granted == {"cloudformation:DescribeStacks", "ssm:DescribeParameters"} | WRITES_SECRETS
    assert asked_directly(CORE / "secrets.py") == {"ssm:DescribeParameters"} | WRITES_SECRETS


def test_an_operator_may_ask_the_one_function_and_nothing_else():
    statements = RESOURCES["OperatorPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert {action for each in statements for action in actions(each)} == {
        "cloudformation:DescribeStacks",
        "lambda:InvokeFunction",
    }
    (ask,) = [each for each in statements if each["Action"] == "lambda:InvokeFunction"]
    assert ask["Resource"] == {"Fn::GetAtt": ["OperateFunction", "Arn"]}
