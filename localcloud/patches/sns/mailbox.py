"""SNS email.

Each message goes into a Maildir, and to SMTP_HOST if that is set. A subscription is confirmed at once: the
inbox is a folder of the user who runs the embedded cloud, so no link is needed.

MiniStack: sends nothing.
AWS: first mails a link to confirm the subscription, and then each message.
    https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
Upstream: none known
Kind: core
"""

from __future__ import annotations

import json
import logging
import mailbox
import smtplib
import threading
from email import policy
from email.message import EmailMessage
from email.utils import formataddr, formatdate, make_msgid
from typing import Any

from ministack.services import sns

from localcloud.options import Settings
from localcloud.patches.patch import Function, patch

log = logging.getLogger("portcall.mailbox")

# The sender's name is the topic's DisplayName, if it has one.
SENDER_NAME = "AWS Notifications"
SENDER_ADDRESS = "no-reply@sns.amazonaws.com"
DEFAULT_SUBJECT = "AWS Notification Message"


_inbox: mailbox.Maildir


class MailNotWritten(Exception):
    """The mail could not be written; the message is the system's reason."""


def prepare(settings: Settings) -> None:
    global _inbox
    _inbox = mailbox.Maildir(settings.state_dir / "inbox", create=True)


@patch(sns, "_fanout")
def _mail(
    original: Function,
    topic_arn: str,
    msg_id: str,
    message: str,
    subject: str,
    message_structure: str = "",
    message_attributes: dict[str, Any] | None = None,
    *,
    settings: Settings,
    **rest: Any,
) -> None:
    original(topic_arn, msg_id, message, subject, message_structure, message_attributes, **rest)
    attributes = message_attributes or {}
    topic = sns._topic_by_arn_any_scope(topic_arn)
    for subscription in topic["subscriptions"] if topic else []:
        protocol = subscription["protocol"]
        if protocol not in ("email", "email-json"):
            continue
        text = sns._resolve_message_for_protocol(message, message_structure, protocol)
        if not sns._matches_filter_policy(subscription, attributes, text):
            continue
        if protocol == "email-json":
            text = sns._build_envelope(topic_arn, msg_id, text, subject, attributes, False)
        try:
            mail = compose(
                to=subscription["endpoint"],
                subject=subject,
                text=text,
                topic=topic_arn,
                attributes=attributes,
            )
            _inbox.add(mail.as_bytes(policy=policy.SMTP.clone(linesep="\n")))
        except OSError as error:
            # E.g. a full disk. The publisher must not think that the mail was sent.
            log.exception("could not write a mail to %s", subscription["endpoint"])
            raise MailNotWritten(str(error)) from error
        except ValueError:
            log.exception("could not write a mail to %s", subscription["endpoint"])
            continue
        if settings.smtp_host:
            # Off-thread: Publish does not wait for the mail to arrive, and never fails because of it.
            threading.Thread(target=_relay, args=(mail, settings.smtp_host), daemon=True).start()


def compose(*, to: str, subject: str, text: str, topic: str, attributes: dict[str, Any]) -> EmailMessage:
    mail = EmailMessage(policy=policy.SMTP)
    named = ((sns._topics.get(topic) or {}).get("attributes") or {}).get("DisplayName")
    mail["From"] = formataddr((named or SENDER_NAME, SENDER_ADDRESS))
    mail["To"] = to
    mail["Subject"] = subject or DEFAULT_SUBJECT
    mail["Date"] = formatdate(usegmt=True)
    mail["Message-ID"] = make_msgid(domain="sns.amazonaws.com")
    mail["X-SNS-Topic-Arn"] = topic
    for name, value in attributes.items():
        mail[f"X-SNS-Attribute-{name}"] = " ".join(str(value.get("StringValue", "")).split())
    mail.set_content(text, charset="utf-8", cte="quoted-printable")
    return mail


@patch(sns, "_publish")
def _refuse_bad_messages(original: Function, params: dict[str, Any]) -> Any:
    message = sns._p(params, "Message")
    if not message:
        return sns._error("InvalidParameter", "Invalid parameter: Empty message", 400)
    if sns._p(params, "MessageStructure") == "json" and not _has_default(message):
        return sns._error(
            "InvalidParameter",
            "Invalid parameter: Message Structure - No default entry in JSON message body",
            400,
        )
    try:
        return original(params)
    except MailNotWritten as error:
        return sns._error("InternalError", f"The mail could not be written: {error}", 500)


def _has_default(message: str) -> bool:
    try:
        parsed = json.loads(message)
    except ValueError:
        return False
    return isinstance(parsed, dict) and isinstance(parsed.get("default"), str)


def _relay(mail: EmailMessage, smtp_host: str) -> None:
    host, _, port = smtp_host.partition(":")
    try:
        with smtplib.SMTP(host, int(port or 25), timeout=20) as server:
            server.send_message(mail)
    except (OSError, ValueError, smtplib.SMTPException) as error:
        log.warning("could not relay a mail to %s: %s", smtp_host, error)
