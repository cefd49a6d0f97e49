"""CleanUp: when the stack is deleted, stops its tasks and removes what no stack owns."""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from deployer.aws import apigateway, ec2, ecr, ecs
from deployer.domain.errors import TransientError
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import settings

P = ParamSpec("P")
T = TypeVar("T")

# This function runs for at most 890 seconds, and is called up to three times, for which CloudFormation waits.
MAX_WORK_SECONDS = 840.0
POLL_SECONDS = 2.0
RETRY_PAUSE_SECONDS = 1.0
# The most that DeleteTaskDefinitions accepts.
MAX_BATCH = 10


class UnfinishedError(Exception):
    """There is more to remove than one call has time for."""


@ready()
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: object) -> None:
    """Answer a custom resource's request; creating and updating it does nothing.

    Raises UnfinishedError if its time is up. CloudFormation calls asynchronously, so Lambda repeats the call
    twice,
    and each call continues where the one before stopped.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
    """
    status, reason = "SUCCESS", ""
    try:
        if event["RequestType"] == "Delete":
            _remove_everything(time.monotonic() + MAX_WORK_SECONDS)
    except UnfinishedError:
        raise
    except Exception as error:
        # Any error: without an answer, the deletion of the stack hangs for an hour.
        logger.exception("Cleaning up failed")
        status, reason = "FAILED", f"{type(error).__name__}: {error}"[:1000]
    _answer(event, status, reason)


def _remove_everything(deadline: float) -> None:
    """Stop the tasks, remove revisions while they stop, and wait until no task holds a network interface."""
    _stop_tasks(deadline)
    _remove_revisions(deadline)
    while _stop_tasks(deadline):
        _in_time(deadline)
        time.sleep(POLL_SECONDS)
    # A deployment that was in progress when the deletion began may have registered another revision.
    _remove_revisions(deadline)
    _remove_what_apps_were_given(deadline)


def _stop_tasks(deadline: float) -> int:
    """Ask all tasks of the cluster to stop, and return how many have not yet."""
    cluster, reason = settings().cluster, "Portcall: the stack is being deleted"
    tasks = _patiently(deadline, ecs.tasks_in, cluster=cluster)
    for task in tasks:
        _patiently(deadline, ecs.stop_task, cluster=cluster, task=task, reason=reason)
    return len(tasks)


def _remove_revisions(deadline: float) -> None:
    """Deregister and delete revisions ten at a time, so that a repeated call has less to do."""
    prefix = f"{settings().stack}_"
    # Inactive revisions were left by an earlier call.
    for status in ("INACTIVE", "ACTIVE"):
        revisions = _patiently(deadline, ecs.revisions_of, family_prefix=prefix, status=status)
        for batch in (revisions[begin : begin + MAX_BATCH] for begin in range(0, len(revisions), MAX_BATCH)):
            for revision in batch if status == "ACTIVE" else ():
                _patiently(deadline, ecs.deregister_task_definition, revision)
            refused = _patiently(deadline, ecs.delete_task_definitions, batch)
            if refused:
                # Inactive revisions cost nothing and are no reason to keep the stack.
                logger.error("AWS does not delete revisions", extra={"refused": refused})
        logger.info("Removed revisions", extra={"revisions": len(revisions), "were": status})


def _remove_what_apps_were_given(deadline: float) -> None:
    """Delete security groups, stable URLs, and the repositories that ECR created on their first push."""
    stack = settings().stack
    for group in _patiently(deadline, ec2.groups_of, stack=stack):
        # Network interfaces are deleted a moment after their tasks.
        while not _patiently(deadline, ec2.delete_group, group.id):
            _in_time(deadline)
            time.sleep(POLL_SECONDS)
    for found in _patiently(deadline, apigateway.stable_urls_of, stack=stack):
        _patiently(deadline, apigateway.delete_stable_url, found.stable_url.api)
    for repository in _patiently(deadline, ecr.repositories_of, stack=stack):
        _patiently(deadline, ecr.delete_repository, repository)


def _patiently(deadline: float, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Repeat the call until it succeeds: AWS allows one change of revisions per second."""
    while True:
        try:
            return call(*args, **kwargs)
        except TransientError:
            _in_time(deadline)
            time.sleep(RETRY_PAUSE_SECONDS)


def _in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise UnfinishedError


def _answer(event: dict[str, Any], status: str, reason: str) -> None:
    body = {
        "Status": status,
        "Reason": reason or "See the log of the steps.",
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    # The URL is signed for a request without a content type.
    request = urllib.request.Request(  # noqa: S310 - of CloudFormation
        event["ResponseURL"], data=json.dumps(body).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310 - of CloudFormation
