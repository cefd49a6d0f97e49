"""From SNS to an inbox."""

import contextlib
import email
import email.policy
import json
import mailbox
import socket
import threading
import uuid
from email.message import EmailMessage
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import Cloud, eventually, free_port, start_cloud


def topic_for(cloud: Cloud, *, protocol: str = "email", **attributes: str) -> tuple[str, str]:
    name = uuid.uuid4().hex[:8]
    address, sns = f"{name}@example.com", cloud.client("sns")
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=address, Attributes=attributes)
    return topic, address


def mails(cloud: Cloud, to: str) -> list[EmailMessage]:
    box = mailbox.Maildir(cloud.state_dir / "inbox", create=False)
    parsed = [email.message_from_bytes(box.get_bytes(key), policy=email.policy.default) for key in box.keys()]  # noqa: SIM118
    return [mail for mail in parsed if isinstance(mail, EmailMessage) and mail["To"] == to]


def test_a_publish_becomes_a_mail_with_its_attributes_as_headers(cloud: Cloud) -> None:
    topic, address = topic_for(cloud)
    text = "http://203.0.113.7:3000/\n\nlive — in UTF-8: ✓ " + "long " * 60
    cloud.client("sns").publish(
        TopicArn=topic,
        Subject="flask-app is live: http://203.0.113.7:3000/",
        Message=json.dumps({"default": "for others", "email": text}),
        MessageStructure="json",
        MessageAttributes={"app": {"DataType": "String", "StringValue": "flask-app"}},
    )
    (mail,) = mails(cloud, address)
    assert mail["Subject"] == "flask-app is live: http://203.0.113.7:3000/"
    assert mail["From"] == "AWS Notifications <no-reply@sns.amazonaws.com>"
    assert (mail["X-SNS-Attribute-app"], mail["X-SNS-Topic-Arn"]) == ("flask-app", topic)
    assert mail["Message-ID"].endswith("@sns.amazonaws.com>")
    assert mail["Date"].datetime.tzinfo is not None
    assert mail.get_content().rstrip("\n") == text


def test_a_mail_that_cannot_be_written_fails_the_publish_as_sns_does(cloud: Cloud) -> None:
    """Otherwise the publisher would think that it was sent, e.g. with a full disk."""
    topic, address = topic_for(cloud)
    sns, folder = cloud.client("sns"), cloud.state_dir / "inbox" / "tmp"
    away = folder.rename(folder.with_name("away"))
    try:
        folder.write_text("no folder")
        with pytest.raises(ClientError, match="InternalError"):
            sns.publish(TopicArn=topic, Subject="s", Message="lost")
    finally:
        folder.unlink()
        away.rename(folder)
    sns.publish(TopicArn=topic, Subject="s", Message="found")
    assert [mail.get_content().strip() for mail in mails(cloud, address)] == ["found"]


def test_the_name_of_the_topic_is_the_name_of_the_sender(cloud: Cloud) -> None:
    topic, address = topic_for(cloud)
    sns = cloud.client("sns")
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="Portcall")
    sns.publish(TopicArn=topic, Subject="s", Message="m")
    (mail,) = mails(cloud, address)
    assert mail["From"] == "Portcall <no-reply@sns.amazonaws.com>"


def test_a_filter_policy_keeps_mails_away(cloud: Cloud) -> None:
    topic, address = topic_for(cloud, FilterPolicy=json.dumps({"outcome": ["failed"]}))
    for outcome in ("deployed", "failed"):
        attributes = {"outcome": {"DataType": "String", "StringValue": outcome}}
        cloud.client("sns").publish(TopicArn=topic, Subject=outcome, Message="m", MessageAttributes=attributes)
    assert [mail["Subject"] for mail in mails(cloud, address)] == ["failed"]


def test_email_json_gets_the_whole_notification(cloud: Cloud) -> None:
    topic, address = topic_for(cloud, protocol="email-json")
    cloud.client("sns").publish(TopicArn=topic, Message="text")
    (mail,) = mails(cloud, address)
    notification = json.loads(mail.get_content())
    assert (notification["Type"], notification["Message"]) == ("Notification", "text")


@pytest.mark.parametrize("subject", ["x" * 101, "two\nlines", "a\x07bell"])
def test_a_subject_that_sns_refuses_is_refused(cloud: Cloud, subject: str) -> None:
    topic, address = topic_for(cloud)
    sns = cloud.client("sns")
    with cloud.refuses("Subject"), pytest.raises(sns.exceptions.InvalidParameterException, match="Subject"):
        sns.publish(TopicArn=topic, Subject=subject, Message="m")
    assert not mails(cloud, address)


def test_mails_are_relayed_when_there_is_an_smtp_host_and_publish_works_when_it_is_gone(tmp_path: Path) -> None:
    received: list[str] = []
    port = free_port()
    listener = socket.create_server(("127.0.0.1", port))
    threading.Thread(target=serve_smtp_once, args=(listener, received), daemon=True).start()
    cloud = start_cloud(tmp_path, SMTP_HOST=f"127.0.0.1:{port}")
    try:
        topic, _address = topic_for(cloud)
        cloud.client("sns").publish(TopicArn=topic, Subject="relayed", Message="m")
        assert "Subject: relayed" in eventually(lambda: "".join(received))
        cloud.client("sns").publish(TopicArn=topic, Subject="lost", Message="m")
    finally:
        cloud.stop()


def serve_smtp_once(listener: socket.socket, received: list[str]) -> None:
    connection, _ = listener.accept()
    listener.close()
    with contextlib.closing(connection), connection.makefile("rw", newline="\r\n") as stream:
        lines: list[str] = []

        def say(text: str) -> None:
            stream.write(f"{text}\n")
            stream.flush()

        say("220 test")
        for line in stream:
            word = line.strip().upper()
            if word == "DATA":
                say("354 go on")
                for content in stream:
                    if content.strip() == ".":
                        break
                    lines.append(content)
                received.append("".join(lines))
            say("221 bye" if word == "QUIT" else "250 ok")
            if word == "QUIT":
                return
