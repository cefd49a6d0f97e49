"""Any repository, tag and image that ECR accepts gives requests that AWS accepts."""

import contextlib
import dataclasses
import json
import uuid
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from deployer.actions import outcomes
from deployer.actions.restarts import _name as restart_name
from deployer.aws import apigateway, ec2, ecr, ecs, ledger, logs, sns, ssm, step_functions, task_states
from deployer.aws import events as event_bus
from deployer.domain import app_tags, image, mail, task_definition
from deployer.domain.deployment import Current
from deployer.domain.endpoint import StableUrl
from deployer.domain.errors import BadLabelError, UnsupportedImageError
from deployer.domain.failure import explain
from deployer.domain.image_spec import ImageSpec
from deployer.domain.push import Push
from deployer.settings import settings as deployer_settings
from deployer.steps import run_task
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.aws_requests import only_checked
from tests.conftest import examples
from tests.images import CONFIGURATION
from tests.unit.test_any_image import DEFAULTS, LABELS, LIMITS

ACCOUNT = "111122223333"
ARN = f"arn:aws:ecs:eu-west-1:{ACCOUNT}"
TASK = f"{ARN}:task/portcall/0f1e2d3c4b5a69788796a5b4c3d2e1f0"
URL = "http://203.0.113.7:3000/"

# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
PART = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)
REPOSITORIES = st.builds(
    lambda parts, separator: separator.join(parts)[:256].rstrip("._-/"),
    st.lists(PART, min_size=2, max_size=40),
    st.sampled_from(["/", "-", ".", "_", "__", "--"]),
)
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
TAGS = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", fullmatch=True)
STACKS = st.from_regex(r"[a-zA-Z][a-zA-Z0-9-]{0,127}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=()), max_size=120)


def spec_of(labels: dict[str, str]) -> ImageSpec:
    """The settings that an image requests; if they are refused, those of an image without labels."""
    configuration = CONFIGURATION | {"config": {"Cmd": ["app"], "Labels": labels}}
    with contextlib.suppress(BadLabelError, UnsupportedImageError):
        return image.spec(configuration, digests=["sha256:" + "a" * 64], defaults=DEFAULTS, limits=LIMITS)
    return spec_of({})


@settings(max_examples=examples(60), deadline=None)
@given(REPOSITORIES, TAGS, STACKS, st.booleans(), LABELS, TEXT)
@example("r" * 256, "t" * 128, "S" * 128, True, {}, "")
@example("r" * 256, "t" * 128, "s", False, {}, "é\n" * 50)
@example("r/" * 127 + "rr", "v1.0", "portcall", True, {"portcall.env.A": "a" * 32000}, "x" * 9000)
def test_any_push_that_ecr_accepts_leads_to_calls_that_aws_accepts(
    repository, tag, stack, by_tag, labels, text
):
    detail = {"action-type": "PUSH", "result": "SUCCESS", "repository-name": repository, "image-tag": tag}
    detail["image-digest"] = f"sha256:{'a' * 64}"
    event = {"id": str(uuid.uuid4()), "time": "2026-11-25T10:00:00Z", "detail": detail}
    push, spec = Push.from_event(event, by_tag=by_tag), spec_of(labels)
    with only_checked() as requests:
        for call in calls(push, spec, stack, text):
            # The answers are made up, so what is done with them may fail.
            with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                call()
    assert requests.refused == []
    assert set(requests.sent) >= SENT


# Each is asked for with every example.
SENT = {
    "apigatewayv2:CreateApi", "apigatewayv2:GetApis", "apigatewayv2:UpdateApi", "dynamodb:GetItem", "dynamodb:Query",
    "dynamodb:TransactWriteItems", "dynamodb:UpdateItem", "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateSecurityGroup",
    "ecr:DescribeImages", "ecs:DescribeTasks", "ecs:ListTasks", "ecs:RegisterTaskDefinition", "ecs:RunTask", "ecs:StopTask",
    "events:PutEvents", "logs:GetLogEvents", "sns:Publish", "ssm:DescribeParameters", "stepfunctions:SendTaskFailure",
    "stepfunctions:StartExecution",
}  # fmt: skip


def without_groups(call: Callable[[], object]) -> None:
    """Call where there is no security group yet, which the made-up answer does not say."""
    with patch.object(ec2, "_group_named", lambda name, vpc: None):
        call()


def calls(push: Push, spec: ImageSpec, stack: str, text: str) -> list[Callable[[], Any]]:
    """Everything that is asked of AWS for a push, by the functions that do so."""
    config = dataclasses.replace(deployer_settings(), stack=stack)
    request = task_definition.request(
        push,
        spec,
        secrets={"KEY": f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/portcall/{push.repository}/KEY"},
        stack=stack,
        registry=f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com",
        execution_role=f"arn:aws:iam::{ACCOUNT}:role/execution",
        log_group=f"{stack}-AppLogGroup-1A2B3C",
        region="eu-west-1",
    )
    revision = f"{ARN}:task-definition/{push.family(stack)}:1"
    stream = task_definition.log_stream(push.app, TASK)
    context = mail.Context(revision, TASK, "apps", stream, "eu-west-1", [("start", 1.0)], exit_code=1)
    failure = explain(error="TaskStoppedError", message=text, task=None, log=[text], port=3000, memory="512", architecture="ARM64")  # fmt: skip
    news = [
        mail.live(push, URL, "", [text], context),
        mail.live_again(push, URL, text, [], context),
        mail.failed(push, failure, mail.Standing(""), [], [text] * 40, context),
        mail.given_up(push, "keeps crashing", text, text, [text], context),
        mail.ended(push, URL, text or "Its tag was deleted."),
    ]
    current = Current(
        push.deployment, 7, TASK, URL, push.digest, push.tag, revision, push.time, image=spec.document()
    )
    facts = {"reason": text, "revision": revision, "task": TASK, "url": URL}
    restart = restart_name(TASK)
    return [
        lambda: ecs.register_task_definition(request),
        lambda: run_task._security_group(config, push, [3001]),
        lambda: without_groups(lambda: run_task._security_group(config, push, [3001])),
        lambda: without_groups(lambda: run_task._security_group(config, push, [3001, 3002])),
        lambda: ecs.run_task(
            cluster=config.cluster,
            task_definition=revision,
            subnets=config.subnets,
            security_group="sg-0a1b2c3d",
            capacity_provider=spec.capacity,
            started_by=push.deployment,
            client_token=push.deployment,
            tags=task_definition.tags(push),
        ),
        lambda: ecs.tasks_started_by(cluster=config.cluster, started_by=push.deployment),
        lambda: ecs.describe_task(cluster=config.cluster, task=TASK),
        lambda: ecs.stop_task(cluster=config.cluster, task=TASK, reason=text * 10),
        # Where there is none yet, which the made-up answer does not say.
        lambda: apigateway.create_stable_url(stack=stack, app=push.app),
        lambda: apigateway.update_target(stable_url=StableUrl("a1b2c3", URL), app=push.app, target=URL),
        *[lambda each=each: sns.publish(topic=config.topic, mail=each) for each in news],
        lambda: event_bus.put_event(detail_type=outcomes.DETAIL_TYPES[outcomes.FAILED], detail={"app": push.app, **facts}),
        lambda: ledger.claim(push=push, execution=f"arn:aws:states:eu-west-1:{ACCOUNT}:execution:d:{push.deployment}", sequence=7),
        lambda: ledger.next_in_order(push=push),
        lambda: ledger.note_in_order(push=push, sequence=7),
        lambda: ledger.is_newest(push=push, sequence=7),
        lambda: ledger.current(app=push.app),
        lambda: ledger.make_current(push=push, new=current, seen=None),
        lambda: ledger.change_current(app=push.app, new=current, seen=current),
        lambda: ledger.take_slot(app=push.app, most=config.slots(push)),
        lambda: ledger.free_slot(app=push.app, noted=2, seen=None),
        lambda: ledger.note_under_way(push=push, most=20),
        lambda: ledger.note_mail(push=push, hour=500_000, kind="mails", most=60),
        lambda: ledger.record(push=push, outcome=outcomes.FAILED, **facts),
        lambda: ledger.deployments(app=push.app),
        lambda: task_states.store_token(task=TASK, token="t" * 1000),
        lambda: logs.tail(group="apps", stream=stream, lines=30),
        lambda: logs.newer(group="apps", stream=stream, token="token"),
        lambda: ssm.parameters(path=f"/portcall/{push.repository}/"),
        lambda: ecr.digest_of(repository=push.repository, tag=push.tag),
        lambda: ecr.tagged_images(repository=push.repository),
        lambda: step_functions.start_execution(machine="arn:aws:states:eu-west-1:111122223333:stateMachine:d", name=restart, document=push.event() | {"image": spec.document()}),
        lambda: step_functions.start_execution(machine="arn:aws:states:eu-west-1:111122223333:stateMachine:d", name=push.deployment, document=push.event()),
        lambda: step_functions.send_task_failure(token="t" * 1000, error="TaskStoppedError", cause=text),
    ]  # fmt: skip


@given(REPOSITORIES, TAGS)
@example("r" * 256, "t" * 128)
def test_the_tags_hold_the_whole_name_of_an_app(repository, tag):
    tags = app_tags.tags(f"{repository}:{tag}")
    assert app_tags.app(tags) == f"{repository}:{tag}"
    assert app_tags.app(json.loads(json.dumps(tags)) | {"Name": "web"}) == f"{repository}:{tag}"
    assert app_tags.app({"Name": "web"}) == ""
