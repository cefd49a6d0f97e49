"""ResolvePublicIp: reads the task's public and private IP from its network interface."""

import time

from deployer.aws import ec2, task_states
from deployer.domain.document import Document, Endpoint
from deployer.domain.errors import AddressNotReadyError
from deployer.observe import logger
from deployer.ready import ready


@ready("ec2")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> Endpoint:
    """Return `{"public": IP, "private": IP, "at": UNIX seconds}`.

    Raises AddressNotReadyError if there is no address yet, so that the state retries. If the task has stopped,
    there will never be one, so this fails at once.
    """
    try:
        public, private = ec2.addresses(interface=event["running"]["interface"])
    except AddressNotReadyError:
        task_states.raise_if_stopped(task=event["task"]["arn"])
        raise
    logger.info("Found the address", extra={"address": public})
    return {"public": public, "private": private, "at": time.time()}
