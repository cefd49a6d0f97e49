"""CleanUp: when the stack is deleted, stops its tasks and removes what no stack owns."""

import json
import time
import urllib.request
from typing import Any

from deployer.aws import apigateway, ec2, ecr, ecs
from deployer.observe import logger
from deployer.settings import settings

# CloudFormation waits an hour for an answer; this function lives for fifteen minutes.
STOP_WITHIN = 600.0
LOOK_EVERY = 2.0


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: object) -> None:
    """Answer a custom resource's request; creating and updating it does nothing.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
    """
    status, reason = "SUCCESS", ""
    try:
        if event["RequestType"] == "Delete":
            _remove_everything()
    except Exception as error:
        # Whatever it is: without an answer the deletion of the stack would hang for an hour.
        logger.exception("Cleaning up failed")
        status, reason = "FAILED", f"{type(error).__name__}: {error}"[:1000]
    _answer(event, status, reason)


def _remove_everything() -> None:
    config = settings()
    deadline = time.monotonic() + STOP_WITHIN
    while tasks := ecs.tasks_in(cluster=config.cluster):
        for task in tasks:
            ecs.stop_task(cluster=config.cluster, task=task, reason="Portcall: the stack is being deleted")
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(tasks)} tasks did not stop within {STOP_WITHIN:.0f} seconds.")
        time.sleep(LOOK_EVERY)
    for group in ec2.groups_of(stack=config.stack):
        # Its interfaces go a moment after their tasks.
        while not ec2.delete_group(group.id):
            if time.monotonic() > deadline:
                raise TimeoutError(f"The security group {group.id} is in use by what is not Portcall's.")
            time.sleep(LOOK_EVERY)
    for repository in ecr.repositories_of(stack=config.stack):
        ecr.delete_repository(repository)
    revisions = ecs.revisions_of(family_prefix=f"{config.stack}_")
    for revision in revisions:
        ecs.deregister_task_definition(revision)
    ecs.delete_task_definitions(revisions)
    for api in apigateway.addresses_of(stack=config.stack):
        apigateway.close_address(api)
    logger.info("Cleaned up", extra={"revisions": len(revisions)})


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
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(body).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    urllib.request.urlopen(request, timeout=30).close()
