"""Apps that are no longer watched after parameters changed. They keep running, and a mail says so."""

import time

from deployer.actions import current_note, mail_limit, retries
from deployer.aws import ledger
from deployer.domain import mail
from deployer.domain.app_facts import Facts
from deployer.domain.push import Push
from deployer.settings import settings


def report(facts: Facts, current: ledger.Current) -> None:
    """Send the mail and record when."""
    config = settings()
    push = Push(f"unwatched-{current.deployment}", current.since, facts.app, current.tag, current.digest)
    message = mail.unwatched(
        push,
        current.url,
        replaced_by=facts.replaced_by,
        can_restart=facts.can_restart,
        stop_command=(
            f"aws ecs stop-task --cluster {config.cluster} --region {config.region} "
            f"--task {current.task.rpartition('/')[2]}"
        ),
    )
    mail_limit.publish(push, message)
    mark(facts.app, current, int(time.time()))


def mark(app: str, current: ledger.Current, at: int) -> None:
    """Record when it was mailed that the app is not watched; 0 once it is watched again."""
    retries.retry(lambda: current_note.note(app, current, unwatched_at=at))
