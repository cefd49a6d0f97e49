"""The stack as `sam deploy` installs it: permissions, rules, scan check."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from deployer.aws import ledger_keys
from deployer.aws.items import plain, wire

from localcloud.stack import install, outputs
from tests.conftest import EVENTS, StateFolder
from tests.local.callers import Caller, holder
from tests.local.conftest import (
    ACCOUNT,
    HOST_ARCHITECTURE,
    REGION,
    eventually,
)
from tests.local.installed import (
    SERVES,
    Installed,
    cloud_of_its_own,
    describe,
)

pytestmark = pytest.mark.long(60)


@pytest.fixture(scope="module")
def stack(engine: None, state_folder: StateFolder) -> Iterator[Installed]:
    with cloud_of_its_own(state_folder("stack")) as cloud:
        installed = Installed(cloud)
        install(installed.settings, print)
        yield installed


# ── As it is installed


def test_it_is_there_and_says_which_three_commands_come_next(stack: Installed) -> None:
    assert describe(stack)["StackStatus"] == "CREATE_COMPLETE"
    registry = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
    login, tag, push = (stack.outputs[name] for name in ("Step1Login", "Step2Tag", "Step3Push"))
    assert login.endswith(f"| docker login --username AWS --password-stdin {registry}")
    assert tag == f"docker tag flask-app:latest {registry}/flask-app:latest"
    assert push == f"docker push {registry}/flask-app:latest"
    assert outputs(stack.settings) == stack.outputs


def test_installing_it_again_changes_nothing(stack: Installed) -> None:
    before, resources = describe(stack), dict(stack.resources)
    install(stack.settings, print)
    assert describe(stack) == before
    assert Installed(stack.cloud).resources == resources


def test_a_push_is_live_with_no_more_than_the_steps_own_permissions(stack: Installed) -> None:
    events = stack.cloud.watch(source=["portcall"])
    execution = stack.deploy()
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    (mail,) = stack.mails(execution)
    assert mail.attributes == {"app": "flask-app", "outcome": "deployed"}
    assert stack.tasks() == stack.tasks(execution)
    # Other programs learn of it, too.
    (event,) = eventually(events)
    assert event["detail-type"] == "Deployment Succeeded"
    assert event["detail"]["url"] == mail.text.splitlines()[0]


def test_the_first_sweep_counts_from_the_install_on(stack: Installed) -> None:
    table, dynamodb = stack.outputs["LedgerTableName"], stack.cloud.client("dynamodb")
    stack.sweep()
    item = plain(dynamodb.get_item(TableName=table, Key=wire(ledger_keys.SWEEP), ConsistentRead=True)["Item"])
    created = dynamodb.describe_table(TableName=table)["Table"]["CreationDateTime"]
    assert item["since"] == int(created.timestamp())


def test_a_step_that_is_woken_loads_and_does_nothing(stack: Installed) -> None:
    functions = stack.cloud.client("lambda")
    for name, function in stack.resources.items():
        if name in ("RunTaskFunction", "SwitchOverFunction", "CheckHealthFunction"):
            answer = functions.invoke(FunctionName=function, Payload=b'{"wake": true}')
            assert "FunctionError" not in answer, name
            assert json.loads(answer["Payload"].read()) is None


def test_a_push_and_a_task_that_starts_wake_nine_steps(stack: Installed) -> None:
    """One that is woken says nothing."""
    logs, group = stack.cloud.client("logs"), stack.resources["StepsLogGroup"]

    def calls_without_a_word() -> int:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        streams: dict[str, list[str]] = {}
        for event in (each for page in pages for each in page["events"]):
            streams.setdefault(event["logStreamName"], []).append(event["message"].split()[0])
        return sum(words == ["START", "END", "REPORT"] for words in streams.values())

    before = calls_without_a_word()
    stack.deploy()
    assert eventually(lambda: calls_without_a_word() >= before + 9)


@pytest.fixture(scope="module")
def viewer(stack: Installed, tmp_path_factory: pytest.TempPathFactory) -> Caller:
    """Somebody who holds ViewerPolicy and nothing else."""
    return holder(stack.cloud, "Viewer", tmp_path_factory.mktemp("viewer"))


def test_a_viewer_may_ask_what_a_tag_points_to_and_follow_the_workflow(
    stack: Installed, viewer: Caller
) -> None:
    execution = stack.deploy()
    assert execution["status"] == "SUCCEEDED"
    ecr, workflow = viewer.client("ecr"), viewer.client("stepfunctions")
    latest = [{"imageTag": "latest"}]
    assert ecr.describe_images(repositoryName=stack.app, imageIds=latest)["imageDetails"]
    with pytest.raises(ClientError, match="not authorized"):
        ecr.batch_get_image(repositoryName=stack.app, imageIds=latest)
    assert workflow.get_execution_history(executionArn=execution["executionArn"])["events"]
    with pytest.raises(ClientError, match="not authorized"):
        workflow.describe_execution(executionArn=execution["executionArn"])


def test_a_viewer_opens_the_dashboard_whose_function_reads_the_ledger_with_its_own_role(
    stack: Installed, viewer: Caller
) -> None:
    execution = stack.deploy()
    assert execution["status"] == "SUCCEEDED"

    def draw(endpoint: str, **parameters: str) -> str:
        """What CloudWatch gets for a widget."""
        event = {**parameters, "widgetContext": {"theme": "light", "params": parameters}}
        answer = viewer.client("lambda").invoke(FunctionName=endpoint, Payload=json.dumps(event))
        assert "FunctionError" not in answer, answer["Payload"].read()
        return str(json.loads(answer["Payload"].read()))

    cloudwatch, name = viewer.client("cloudwatch"), stack.outputs["DashboardUrl"].rpartition("/")[2]
    # CloudWatch's console asks for both.
    assert name in [each["DashboardName"] for each in cloudwatch.list_dashboards()["DashboardEntries"]]
    body = json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])
    custom = [each["properties"] for each in body["widgets"] if each["type"] == "custom"]
    drawn = {each["title"]: draw(each["endpoint"], **each["params"]) for each in custom}
    assert "flask-app" in drawn["Apps"]
    assert "● live" in drawn["Apps"]
    assert "admit" in drawn["Where the time goes"]
    assert "● deployed" in draw(custom[0]["endpoint"], widget="app", app="flask-app")
    dimensions = [{"Name": "service", "Value": "portcall"}]
    metric = {"Namespace": "Portcall", "MetricName": "Deployed", "Dimensions": dimensions}
    now = datetime.now(UTC)
    assert cloudwatch.get_metric_data(
        StartTime=now - timedelta(days=1),
        EndTime=now,
        MetricDataQueries=[{"Id": "one", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}}],
    )["MetricDataResults"]
    with pytest.raises(ClientError, match="not authorized"):
        viewer.client("lambda").invoke(FunctionName=stack.outputs["OperateFunctionName"], Payload=b"{}")


def test_a_pusher_pushes_and_waits_and_does_nothing_else(stack: Installed, tmp_path: Path) -> None:
    pusher = holder(stack.cloud, "Pusher", tmp_path)
    digest = pusher.push(stack.app, ["sh", "-c", f": {uuid.uuid4()}; {SERVES}"], "latest")
    waited = pusher.portcall("wait", f"{stack.app}:latest@{digest}")
    assert waited.returncode == 0, waited.stderr
    assert waited.stdout.startswith("http://")
    assert pusher.portcall("wait", f"{stack.app}:latest").stdout == waited.stdout

    for words in (["status"], ["logs", stack.app], ["deploy", f"{stack.app}:latest"]):
        refused = pusher.portcall(*words)
        assert (refused.returncode, refused.stdout) == (6, ""), refused.stderr
        assert "has no permission for" in refused.stderr
    ecr, ledger, other = pusher.client("ecr"), pusher.client("dynamodb"), stack.cloud.repository()
    table = stack.outputs["LedgerTableName"]
    for call in (
        lambda: ecr.initiate_layer_upload(repositoryName=other),
        lambda: ecr.batch_delete_image(repositoryName=stack.app, imageIds=[{"imageTag": "latest"}]),
        lambda: ecr.create_repository(repositoryName="any"),
        lambda: ecr.delete_repository(repositoryName=stack.app),
        lambda: ledger.get_item(TableName=table, Key=wire(ledger_keys.current("other-app"))),
        lambda: ledger.delete_item(TableName=table, Key=wire(ledger_keys.current(stack.app))),
    ):
        with pytest.raises(ClientError, match="not authorized"):
            call()


def test_a_keeper_of_secrets_writes_those_of_the_watched_repository_and_reads_none(
    stack: Installed, tmp_path: Path
) -> None:
    keeper = holder(stack.cloud, "Secrets", tmp_path).client("ssm")
    name = f"/portcall/{stack.app}/GREETING"
    keeper.put_parameter(Name=name, Value="hello", Type="SecureString")
    for call in (
        lambda: keeper.get_parameter(Name=name, WithDecryption=True),
        lambda: keeper.put_parameter(Name="/portcall/others/GREETING", Value="hello", Type="SecureString"),
        lambda: keeper.put_parameter(
            Name=f"/portcall-previews/{stack.app}/GREETING", Value="hello", Type="String"
        ),
    ):
        with pytest.raises(ClientError, match="not authorized"):
            call()
    keeper.delete_parameter(Name=name)


def test_a_sweep_with_nothing_to_repair_does_nothing(stack: Installed) -> None:
    assert stack.deploy()["status"] == "SUCCEEDED"
    running = stack.tasks()
    assert stack.sweep() == {}
    assert stack.tasks() == running


# ── The gate

CRITICAL = {
    "name": "CVE-2026-1234",
    "severity": "CRITICAL",
    "package_name": "zlib",
    "package_version": "1.2.13",
}


@pytest.fixture(scope="module")
def gated(stack: Installed) -> Iterator[Installed]:
    """The stack with the gate on, for as long as there are tests of it."""
    stack.update(BlockOnFindings="high")
    yield stack
    stack.update(BlockOnFindings="none")


@pytest.fixture
def know(stack: Installed) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What scans find from now on; nothing is known at first."""
    known = stack.cloud.state_dir / "findings.json"

    def scans_find(entries: dict[str, Any]) -> None:
        known.write_text(json.dumps(entries))

    yield scans_find
    known.unlink(missing_ok=True)


def test_a_clean_image_passes_the_gate_once_its_scan_has_ended(gated: Installed) -> None:
    execution = gated.deploy()
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    (mail,) = gated.mails(execution)
    assert "scan " in mail.text


def test_an_image_with_findings_is_refused_with_their_list_and_the_previous_version_serves(
    gated: Installed, know: Callable[[dict[str, Any]], None]
) -> None:
    serving = gated.tasks()
    know({gated.app: {"findings": [CRITICAL, {**CRITICAL, "severity": "LOW", "name": "CVE-2026-1"}]}})
    # ECR scans the image that would run, not the index.
    child = gated.cloud.push(gated.app, ["sh", "-c", f": {uuid.uuid4()}; {SERVES}"])
    digest = gated.cloud.push_index(gated.app, {HOST_ARCHITECTURE: child}, "latest")
    (execution,) = gated.deployments.ended(gated.app, digest)
    assert (execution["status"], execution["error"]) == ("FAILED", "FindingsError")
    (mail,) = gated.mails(execution)
    assert mail.subject == "flask-app was refused: 1 critical vulnerability"
    assert mail.text.splitlines()[1] == f"Reason: {execution['cause']}"
    indented = [line.strip() for line in mail.text.splitlines() if line.startswith("    ")]
    listed = [line for line in indented if not line.startswith("aws lambda invoke ")]
    assert listed[0] == "CRITICAL CVE-2026-1234 in zlib 1.2.13"
    assert listed[1].startswith("Read it with: aws ecr describe-image-scan-findings ")
    assert f"imageDigest={child}" in listed[1]
    assert gated.tasks() == serving


def test_an_image_that_cannot_be_scanned_is_refused(
    gated: Installed, know: Callable[[dict[str, Any]], None]
) -> None:
    know({gated.app: {"status": "UNSUPPORTED_IMAGE"}})
    execution = gated.deploy()
    assert (execution["status"], execution["error"]) == ("FAILED", "NotScannedError")
    (mail,) = gated.mails(execution)
    assert mail.subject == "flask-app was refused: it was not scanned"


def test_a_gate_without_its_permission_lets_nobody_in(gated: Installed) -> None:
    serving = gated.tasks()
    with gated.without(gated.role("CheckFindings"), "ecr:DescribeImageScanFindings"):
        execution = gated.deploy()
    assert (execution["status"], execution["error"]) == ("FAILED", "AccessDeniedError")
    (mail,) = gated.mails(execution)
    assert "ecr:DescribeImageScanFindings" in mail.text.splitlines()[1]
    assert gated.tasks() == serving


# ── The rule


@pytest.fixture(scope="module")
def matches(stack: Installed) -> Any:
    """Whether the deployed rule takes an event."""
    events = stack.cloud.client("events")
    rules = [events.describe_rule(Name=rule["Name"]) for rule in events.list_rules()["Rules"]]
    # One starts the workflow, one wakes steps.
    (pattern,) = {rule["EventPattern"] for rule in rules if '"PUSH"' in rule.get("EventPattern", "")}

    def asked(event: dict[str, Any]) -> bool:
        return bool(events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"])

    return asked


@pytest.mark.parametrize("sample", sorted(path.stem for path in EVENTS.glob("*.json")))
def test_of_all_event_samples_only_tagged_pushes_to_the_watched_repository_start_anything(
    matches: Any, event: Any, sample: str
) -> None:
    document = event(sample)
    ours = document["detail"].get("repository-name") == "flask-app"
    assert matches(document) == (ours and sample in ("ecr-push-tagged", "ecr-push-tagged-index"))
    if document["source"] == "aws.ecr":
        document["detail"]["repository-name"] = "flask-app"
        assert matches(document) == (sample in ("ecr-push-tagged", "ecr-push-tagged-index"))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"image-tag": "v1.4.0"}, True),
        ({"image-tag": ""}, False),
        ({"image-tag": None}, False),
        ({"result": "FAILURE"}, False),
        ({"action-type": "DELETE"}, False),
        ({"repository-name": "flask-app-2"}, False),
        ({"repository-name": "my-flask-app"}, False),
        ({"repository-name": "team/flask-app"}, False),
    ],
)
def test_the_rule_takes_a_push_by_repository_tag_and_result(
    matches: Any, event: Any, changed: dict[str, str | None], expected: bool
) -> None:
    document = event("ecr-push-tagged")
    detail = {**document["detail"], **changed}
    document["detail"] = {name: value for name, value in detail.items() if value is not None}
    assert matches(document) is expected
