"""Amazon SNS: the mail."""

import json
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Subscriptions:
    """How many have confirmed, and how many have not yet."""

    confirmed: int
    pending: int


def subscriptions(*, topic: str) -> Subscriptions:
    """How many subscribe to a topic; SNS may take a moment to count."""
    found = client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    return Subscriptions(int(found.get("SubscriptionsConfirmed", 0)), int(found.get("SubscriptionsPending", 0)))
