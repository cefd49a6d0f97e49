"""The run's two queues: one gets the topic's mails, one the events of ECR and ECS."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from portcall.verify.account import Account
from portcall.verify.state import State

MAILS, EVENTS = "mails", "events"
# On the default bus, where the install's rules get the same events.
SOURCES = ("ecr", "ecs")


def open_queues(account: Account, state: State) -> None:
    """Create the queues with their policies, subscribe one to the topic, and create rules for the other."""
    topic, cluster = state.outputs["TopicArn"], state.outputs["ClusterArn"]
    mails = _queue(account, state, MAILS, "sns.amazonaws.com", topic)
    account.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=mails, ReturnSubscriptionArn=True)
    rule_arn = f"{':'.join(mails.split(':')[:2])}:events:{account.region}:{account.id}:rule/{state.name}-*"
    events = _queue(account, state, EVENTS, "events.amazonaws.com", rule_arn)
    patterns: dict[str, dict[str, Any]] = {
        "ecr": {"source": ["aws.ecr"], "detail": {"repository-name": [state.name]}},
        "ecs": {"source": ["aws.ecs"], "detail": {"clusterArn": [cluster]}},
    }
    bus = account.client("events")
    for source in SOURCES:
        rule = f"{state.name}-{source}"
        bus.put_rule(Name=rule, EventPattern=json.dumps(patterns[source]))
        bus.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": events}])


def read_mails(account: Account, state: State) -> None:
    """Append new mails to `state.mails`: `subject`, `document`, and when it was `sent` (ms since 1970)."""

    def keep(body: dict[str, Any], sent: int) -> None:
        mail = {"subject": body.get("Subject", ""), "document": json.loads(body["Message"]), "sent": sent}
        state.mails.append(mail)

    _drain(account, f"{state.name}-{MAILS}", keep)


def read_events(account: Account, state: State) -> None:
    """Append new events to `state.events`: the event, and when it was `sent` to the queue (ms since 1970)."""
    _drain(
        account,
        f"{state.name}-{EVENTS}",
        lambda body, sent: state.events.append({"event": body, "sent": sent}),
    )


def lateness(each: dict[str, Any]) -> float:
    """Seconds from an event's time, which is in whole seconds, until it was sent to the queue."""
    happened = datetime.fromisoformat(each["event"]["time"])
    return max(0.0, float(each["sent"]) / 1000 - happened.timestamp())


def close_queues(account: Account, name: str) -> None:
    """Remove the rules and queues, if they exist. The subscription is deleted with its topic."""
    bus, sqs = account.client("events"), account.client("sqs")
    for source in SOURCES:
        try:
            bus.remove_targets(Rule=f"{name}-{source}", Ids=["queue"])
            bus.delete_rule(Name=f"{name}-{source}")
        except bus.exceptions.ResourceNotFoundException:
            continue
    for kind in (MAILS, EVENTS):
        try:
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=f"{name}-{kind}")["QueueUrl"])
        except sqs.exceptions.QueueDoesNotExist:
            continue


def _queue(account: Account, state: State, kind: str, service: str, source: str) -> str:
    """Create a queue to which this service may send for this source; return its ARN."""
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName=f"{state.name}-{kind}")["QueueUrl"]
    arn = str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
    statement = {
        "Sid": "TakeWhatIsSentHere",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnLike": {"aws:SourceArn": source}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return arn


def _drain(account: Account, name: str, keep: Callable[[dict[str, Any], int], None]) -> None:
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    while True:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["SentTimestamp"],
            # With long polling, however short, SQS asks all its servers.
            WaitTimeSeconds=0 if account.embedded else 1,
        )
        messages = answer.get("Messages", [])
        for message in messages:
            keep(json.loads(message["Body"]), int(message["Attributes"]["SentTimestamp"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if not messages:
            return
