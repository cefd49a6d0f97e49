"""Amazon SNS: sends the mails."""

import json
from dataclasses import dataclass

from deployer.aws.client import client
from deployer.domain.mail import Mail


def publish(*, topic: str, mail: Mail) -> str:
    """Publish text for people and the document for machines; return the message's id.

    The attributes let a subscriber filter.
    """
    # Unescaped, non-ASCII characters need a third of the space; SNS accepts 256 KiB in all.
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
    """The number of subscribers that have confirmed, and of those that have not."""

    confirmed: int
    pending: int


def subscriptions(*, topic: str) -> Subscriptions:
    """The subscriptions of a topic; SNS needs a moment to count a change."""
    found = client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    return Subscriptions(int(found.get("SubscriptionsConfirmed", 0)), int(found.get("SubscriptionsPending", 0)))
