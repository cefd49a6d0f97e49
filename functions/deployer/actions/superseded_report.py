"""The mail about superseded pushes if the newer push is not live either and no other mail named them."""

from deployer.actions import mail_limit, superseded
from deployer.aws import ecs
from deployer.domain import mail
from deployer.domain.app_facts import Facts
from deployer.domain.errors import PermanentError
from deployer.domain.push import Push
from deployer.domain.task import TaskState
from deployer.settings import settings


def send(facts: Facts, names: tuple[str, ...]) -> None:
    """Mail that these pushes were not deployed, though nothing newer is live."""
    config = settings()
    others = [each for each in reversed(facts.unmailed) if each.deployment in names]
    newest = others[0]
    push = Push.of(facts.app, newest)
    message = mail.not_deployed(push, others, _standing(facts), config.deploy_command(push))
    if mail_limit.publish(push, message):
        superseded.close(push, others)


def _standing(facts: Facts) -> mail.Standing:
    current = facts.current
    if current is None or current.gave_up_reason or current.last_stop:
        return mail.NOTHING
    if facts.tasks is None or current.task not in facts.tasks:
        try:
            task = ecs.describe_task(cluster=settings().cluster, task=current.task)
        except PermanentError:
            return mail.NOTHING
        if task is None or task.state is TaskState.STOPPED:
            return mail.NOTHING
    return mail.standing_of(current)
