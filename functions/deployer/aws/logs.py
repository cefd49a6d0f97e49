"""Amazon CloudWatch Logs: what the app said last."""

from deployer.aws.client import client, code_of, errors_as_ours
from deployer.domain.errors import AwsRefusedError


def tail(*, group: str, stream: str, lines: int) -> list[str]:
    """The last lines of a log stream, oldest first; empty where the app never wrote one."""
    try:
        with errors_as_ours():
            answer = client("logs").get_log_events(
                logGroupName=group, logStreamName=stream, limit=lines, startFromHead=False
            )
    except AwsRefusedError as error:
        if code_of(error) == "ResourceNotFoundException":
            return []
        raise
    return [str(event["message"]).rstrip() for event in answer["events"]][-lines:]
