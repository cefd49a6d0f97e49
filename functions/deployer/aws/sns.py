"""Amazon SNS: the mail."""

import json

from deployer.aws.client import client
from deployer.domain.mail import Mail


def publish(*, topic: str, mail: Mail) -> str:
    """Publish text for people and the document for machines; return the message's id.

    The attributes let a subscriber filter.
    """
    # As they are, characters beyond ASCII take a third of the room: SNS takes 256 KiB in all.
    machine = json.dumps(mail.document, separators=(",", ":"), ensure_ascii=False)
    answer = client("sns").publish(
        TopicArn=topic,
        Subject=mail.subject,
        MessageStructure="json",
        Message=json.dumps({"default": machine, "email": mail.text}, ensure_ascii=False),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in mail.attributes.items()
        },
    )
    return str(answer["MessageId"])
