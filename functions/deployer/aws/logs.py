"""Amazon CloudWatch Logs: the logs of apps."""

from typing import TYPE_CHECKING

from deployer.aws.client import client, code_of
from deployer.domain.errors import AwsRefusedError

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import GetLogEventsRequestTypeDef

MAX_PAGES = 4


def tail(*, group: str, stream: str, lines: int, since: int = 0) -> list[str]:
    """The last lines of a log stream, oldest first; empty where the app never wrote one, or not `since` then.

    A page may be empty though there are events before it: then its token is another one.
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
    """
    page: GetLogEventsRequestTypeDef = {
        "logGroupName": group,
        "logStreamName": stream,
        "limit": lines,
        "startFromHead": False,
    }
    if since:
        page["startTime"] = since * 1000
    try:
        for _ in range(MAX_PAGES):
            answer = client("logs").get_log_events(**page)
            before = answer.get("nextBackwardToken")
            if answer["events"] or before in (None, page.get("nextToken")):
                break
            page["nextToken"] = before
    except AwsRefusedError as error:
        if code_of(error) == "ResourceNotFoundException":
            return []
        raise
    return [str(event["message"]).rstrip() for event in answer["events"]][-lines:]


def newer(
    *, group: str, stream: str, token: str = "", lines: int = 100, since: int = 0
) -> tuple[list[str], str]:
    """The lines of a log stream after `token`, and the next token; without a token, the last lines.

    `since` is in UNIX seconds, 0 for the beginning; a token is valid with and without it. Returns `([], "")` if
    the stream does not exist yet. A page has at most a megabyte; the next token continues after it.
    """
    page: GetLogEventsRequestTypeDef = {
        "logGroupName": group,
        "logStreamName": stream,
        "startFromHead": bool(token),
    }
    if since:
        page["startTime"] = since * 1000
    if token:
        page["nextToken"] = token
    else:
        page["limit"] = lines
    try:
        answer = client("logs").get_log_events(**page)
    except AwsRefusedError as error:
        if code_of(error) == "ResourceNotFoundException":
            return [], token
        raise
    return [str(event["message"]).rstrip() for event in answer["events"]], str(answer["nextForwardToken"])
