"""The dashboard of the template, and the function that draws its widgets from the ledger."""

import ast
import json
import time
from pathlib import Path

import pytest
from deployer.actions import outcomes
from deployer.aws import ledger
from deployer.domain import widgets
from deployer.domain.errors import ThrottledError
from deployer.events import dashboard

from tests import templates
from tests.conftest import FUNCTION_ENVIRONMENT, LambdaContext
from tests.console.world import World

DEPLOYER = Path(__file__).parents[2] / "functions" / "deployer"
RESOURCES = templates.resolved(templates.template())
BODY = json.loads(RESOURCES["DeploymentsDashboard"][1]["DashboardBody"])
WIDGETS = BODY["widgets"]
METRICS = [metric for each in WIDGETS for metric in each["properties"].get("metrics", [])]


def emitted():
    """The metrics that the functions count or measure, by the calls in their code."""
    found = {outcome.title().replace(" ", "") for outcome in outcomes.DETAIL_TYPES}
    for path in DEPLOYER.rglob("*.py"):
        tree = ast.parse(path.read_text())
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("count", "seconds"):
                name = node.args[0]
                found.add(
                    constants.get(name.id) if isinstance(name, ast.Name) else getattr(name, "value", None)
                )
    return found - {None}


def test_every_metric_of_ours_is_one_that_the_functions_send():
    ours = [metric for metric in METRICS if metric[0] == FUNCTION_ENVIRONMENT["POWERTOOLS_METRICS_NAMESPACE"]]
    assert {metric[1] for metric in ours} <= emitted()
    # The one dimension that Powertools adds. By the stack's name, so that two stacks do not share their metrics.
    given = templates.template()["Globals"]["Function"]["Environment"]["Variables"]
    assert given["POWERTOOLS_SERVICE_NAME"] == {"Ref": "AWS::StackName"}
    written = templates.template()["Resources"]["DeploymentsDashboard"]["Properties"]["DashboardBody"][
        "Fn::Sub"
    ]
    assert written.count('"service", "${AWS::StackName}"') == len(ours)


def test_every_queue_that_holds_undelivered_events_is_on_it():
    queues = {name for name, (kind, _) in RESOURCES.items() if kind == "AWS::SQS::Queue"}
    assert {metric[3] for metric in METRICS if metric[0] == "AWS/SQS"} == {f"sample-{name}" for name in queues}


def test_it_is_within_what_is_free():
    """https://aws.amazon.com/cloudwatch/pricing/: three dashboards of up to 50 metrics."""
    assert [kind for kind, _ in RESOURCES.values()].count("AWS::CloudWatch::Dashboard") == 1
    assert len(METRICS) <= 50


def test_its_widgets_fill_the_grid_and_do_not_overlap():
    fields = [
        (x, y)
        for each in WIDGETS
        for x in range(each["x"], each["x"] + each["width"])
        for y in range(each["y"], each["y"] + each["height"])
    ]
    assert len(fields) == len(set(fields))
    assert {x for x, _ in fields} == set(range(24))
    assert len(fields) == 24 * (1 + max(y for _, y in fields))


def test_two_installs_have_two_dashboards_also_in_two_regions():
    name = templates.template()["Resources"]["DeploymentsDashboard"]["Properties"]["DashboardName"]["Fn::Sub"]
    assert "${AWS::StackName}" in name
    assert "${AWS::Region}" in name


def test_it_can_be_switched_off_with_all_that_belongs_to_it():
    without = templates.resolved(templates.template(), {"Dashboard": "off"})
    gone = set(RESOURCES) - set(without)
    assert gone == {"DashboardFunction", "DashboardFunctionRole", "DeploymentsDashboard"}
    assert "dashboard" not in json.dumps(without["ViewerPolicy"]).lower()


@pytest.mark.parametrize(
    ("partition", "region", "console"),
    [
        ("aws", "eu-west-1", "console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_mails_get_the_link_to_it_in_each_partition(partition, region, console):
    where = {"AWS::Partition": partition, "AWS::Region": region}
    resources = templates.resolved(templates.template(), where)
    (_, dashboard), (_, function) = (resources[name] for name in ("DeploymentsDashboard", "PublishUrlFunction"))
    assert function["Environment"]["Variables"]["DASHBOARD_URL"] == (
        f"https://{region}.{console}/cloudwatch/home?region={region}"
        f"#dashboards/dashboard/{dashboard['DashboardName']}"
    )


def test_the_output_and_the_mails_have_one_link():
    template = templates.template()
    in_mails = template["Globals"]["Function"]["Environment"]["Variables"]["DASHBOARD_URL"]
    assert in_mails == {"Fn::If": ["HasDashboard", template["Outputs"]["DashboardUrl"]["Value"], ""]}


def test_mails_get_no_link_where_there_is_none():
    without = templates.resolved(templates.template(), {"Dashboard": "off"})
    assert without["PublishUrlFunction"][1]["Environment"]["Variables"]["DASHBOARD_URL"] == ""


# ── The function


@pytest.fixture
def world(ledger_in_memory):
    return World(now=time.time())


def draw(**event):
    context = LambdaContext()
    context.invoked_function_arn = "arn:aws:lambda:eu-west-1:111122223333:function:dashboard"
    return dashboard.handler(event, context)


def of_widget(each):
    """What CloudWatch calls the function with."""
    properties = each["properties"]
    return {**properties["params"], "widgetContext": {"theme": "dark", "params": properties["params"]}}


@pytest.mark.parametrize("each", [each for each in WIDGETS if each["type"] == "custom"], ids=str)
def test_every_custom_widget_of_the_template_is_drawn(world, each):
    world.live("shop")
    world.fail("blog")
    world.push("api")
    html = draw(**of_widget(each))
    assert html.startswith("<")
    assert "<table" in html
    assert html != widgets.DOCUMENTATION


def test_it_shows_each_app_as_the_command_line_does(world):
    world.live("shop")
    world.fail("blog", reason="It ended with exit code 1.")
    world.push("api")
    apps, deployments = draw(widget="apps"), draw(widget="deployments")
    for each in ("● live", "✗ failed", "◐ deploying", "It ended with exit code 1.", "1 of 3 needs attention"):
        assert each in apps
    assert deployments.index("api") < deployments.index("blog")
    assert "shop" not in deployments


def test_the_history_of_an_app_goes_back_beyond_its_last_push(world):
    world.fail("shop", ago=900, reason="It ran out of memory.")
    world.live("shop", ago=60)
    assert "out of memory" not in draw(widget="apps")
    assert "out of memory" in draw(widget="app", app="shop")


@pytest.mark.parametrize("event", [{"describe": True}, {}, {"widget": "secrets"}, {"widget": "app"}], ids=str)
def test_it_says_how_to_call_it(event):
    assert draw(**event) == widgets.DOCUMENTATION


@pytest.mark.parametrize("event", [None, [], "apps", {"widgetContext": "none"}], ids=str)
def test_nonsense_is_answered_too(event):
    assert dashboard.handler(event, LambdaContext()) == widgets.DOCUMENTATION


def test_a_ledger_that_cannot_be_read_is_said(monkeypatch):
    def throttled(**_):
        raise ThrottledError("<b>slow down</b>")

    monkeypatch.setattr(ledger, "overview", throttled)
    html = draw(widget="apps")
    assert "could not be read" in html
    assert "<b>" not in html
