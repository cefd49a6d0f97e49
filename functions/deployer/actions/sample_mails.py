"""Sends the test email, and says how many will get it."""

import time
from typing import Any

from deployer.actions import mail_limit
from deployer.aws import ledger, sns
from deployer.domain import limits, sample_mail
from deployer.domain.operation import NotPossible, Operation
from deployer.settings import settings


def send(asked: Operation) -> dict[str, Any]:
    """Return `{"status": "sent", "message": id, "confirmed": number, "pending": number}`.

    Raises NotPossible if the limit of this hour is reached. A request that is sent twice counts once.
    """
    config, now = settings(), time.time()
    most = limits.MAX_TEST_MAILS_PER_HOUR
    if not ledger.note_test_mail(name=asked.id, hour=limits.hour(now), most=most):
        raise NotPossible(
            f"{most} test emails were sent this hour, which is the limit. The next hour begins at "
            f"{limits.end_of_hour(now)}."
        )
    mail_limit.check_rate()
    mail = sample_mail.sample(stack=config.stack, region=config.region, by=asked.by)
    message = sns.publish(topic=config.topic, mail=mail)
    subscribed = sns.subscriptions(topic=config.topic)
    return {
        "status": "sent",
        "message": message,
        "confirmed": subscribed.confirmed,
        "pending": subscribed.pending,
    }
