"""RunTask: starts one Fargate task of the new revision."""

import time

from deployer.aws import ec2, ecs, ledger
from deployer.domain import app_tags, task_definition
from deployer.domain.document import Attempt, Document, StartedTask
from deployer.domain.errors import NoCapacityError, NotNewestError
from deployer.domain.push import Push
from deployer.domain.superseded import NEWER_PUSH
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import Settings, settings

ON_DEMAND, SPOT = "FARGATE", "FARGATE_SPOT"
DEARER = (
    "AWS had no Spot capacity for it, so it runs on FARGATE, which costs about three times as much. "
    "The next push or restart requests Spot again."
)


@ready("dynamodb", "ec2", "ecs")
@logger.inject_lambda_context(correlation_id_path="deployment.id")
def handler(event: Attempt, context: object) -> StartedTask:
    """Take `{"attempt", "deployment": the document}`.

    Return `{"arn": task, "securityGroup": id, "notes": for the mail, "at": UNIX seconds}`.

    Raises NoCapacityError, and NotNewestError if a newer push was admitted while this one waited for capacity.
    """
    config, document = settings(), event["deployment"]
    push = Push.from_event(document, by_tag=config.by_tag)
    group = _security_group(config, push, document["image"]["ports"])
    # The answer to an earlier attempt may have been lost; then its task is used.
    running = event["attempt"] and ecs.tasks_started_by(cluster=config.cluster, started_by=push.deployment)
    if event["attempt"] and not running:
        _check_order(push, document)
    task, notes = (running[0], []) if running else _start(event, push, config, group)
    logger.info("Started a task", extra={"app": push.app, "task": task})
    return {"arn": task, "securityGroup": group, "notes": notes, "at": time.time()}


def _start(event: Attempt, push: Push, config: Settings, group: str) -> tuple[str, list[str]]:
    """The task's ARN, and notes for the mail about where it runs. Raises NoCapacityError."""
    document = event["deployment"]
    wanted = document["image"]["capacity"]
    asks = [(wanted, token) for token in _tokens(push.deployment, event["attempt"])]
    if wanted == SPOT:
        # Spot may have no capacity for hours. A higher price for a while is better than an app that is down.
        asks += [(ON_DEMAND, token) for token in _tokens(f"{push.deployment}-fargate", event["attempt"])]
    refusals = []
    for capacity, token in asks:
        try:
            task = ecs.run_task(
                cluster=config.cluster,
                task_definition=document["taskDefinition"]["arn"],
                subnets=config.subnets,
                security_group=group,
                capacity_provider=capacity,
                started_by=push.deployment,
                client_token=token,
                tags=task_definition.tags(push),
            )
        except NoCapacityError as error:
            refusals.append(str(error))
        else:
            return task, [] if capacity == wanted else [DEARER]
    raise NoCapacityError(" ".join(dict.fromkeys(refusals)))


def _check_order(push: Push, document: Document) -> None:
    """Raise NotNewestError if a newer push was admitted: what capacity there is must be left to that one."""
    if "restart" not in document and document["admission"]["sequence"] < ledger.newest(app=push.app):
        raise NotNewestError(NEWER_PUSH)


def _tokens(token: str, attempt: int) -> list[str]:
    """The client tokens to try. With the first one, ECS returns the task that it returned before.

    ECS may repeat a refusal for the same token, so a later attempt also has a token of its own.
    """
    return [token, f"{token}-{attempt}"] if attempt else [token]


def _security_group(config: Settings, push: Push, ports: list[int]) -> str:
    """The security group that opens these ports and no others.

    Apps on the same port share a group. If the image names several ports, or none, the deployment gets a group
    of its own: only later is it known which ports the app uses, and SwitchOver closes the rest.
    """
    owner = push.deployment if len(ports) != 1 else ""
    return ec2.open_ports(
        # A group's name must not begin with `sg-`, but a stack's name may.
        name=f"Portcall {config.stack} {owner or f'tcp {ports[0]}'}",
        ports=ports,
        vpc=config.vpc,
        cidr=config.cidr,
        probe_group=config.probe_group,
        tags={"portcall:stack": config.stack}
        | ({**app_tags.tags(push.app), "portcall:deployment": owner} if owner else {}),
    )
