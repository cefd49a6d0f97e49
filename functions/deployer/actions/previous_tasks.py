"""Stops the tasks that a newer deployment has replaced."""

import dataclasses

from deployer.aws import ecs, ledger
from deployer.domain.errors import PermanentError
from deployer.domain.push import Push
from deployer.settings import settings


def stop(push: Push, current: ledger.Current) -> list[str]:
    """Stop the tasks of earlier deployments; return notes for the mail.

    If AWS refuses, only a note says so: the new version is live anyway.
    """
    config = settings()
    try:
        for task in current.previous_tasks:
            ecs.stop_task(cluster=config.cluster, task=task, reason="Portcall: replaced by a newer version")
    except PermanentError as refused:
        return [f"The previous version could not be stopped. It is still running and costs money: {refused}"]
    if current.previous_tasks:
        # A newer deployment is current now and has these tasks in its list.
        ledger.change_current(app=push.app, new=dataclasses.replace(current, previous_tasks=[]), seen=current)
    return []
