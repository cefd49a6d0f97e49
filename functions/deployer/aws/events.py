"""Amazon EventBridge: the news for other programs."""

import json

from deployer.aws.client import client
from deployer.domain.errors import AwsUnavailableError


def put_event(*, detail_type: str, detail: dict[str, object]) -> None:
    """Put one event with the source `portcall` on the default bus. A 200 may say that it was refused."""
    answer = client("events").put_events(
        Entries=[{"Source": "portcall", "DetailType": detail_type, "Detail": json.dumps(detail)}]
    )
    if answer["FailedEntryCount"]:
        raise AwsUnavailableError(f"PutEvents: {answer['Entries'][0].get('ErrorMessage')}")
