"""Reads the ledger, with the functions' own modules. Nothing is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Never

from deployer.aws import ecr, ledger, logs
from deployer.aws.ledger import AppRecords
from deployer.aws.ledger_keys import ID_DIGITS
from deployer.domain import task_definition
from deployer.domain.deployment import Current, Deployment

from portcall.core import states
from portcall.core.states import AppStatus
from portcall.core.target import Target
from portcall.core.trouble import Exit, Trouble

# The default number of an app's deployments.
RECENT = 50
ALL = 1_000_000


@dataclass(frozen=True)
class AppHistory:
    """An app's current deployment, and its deployments, newest first."""

    app: str
    current: Current | None
    deployments: list[Deployment]


def all_apps(target: Target) -> list[AppStatus]:
    """The state of every app, by name."""
    return [status for status, _ in everything(target)]


def everything(target: Target) -> list[tuple[AppStatus, list[Deployment]]]:
    """The state of every app, by name, with its deployments that are in progress or were last."""
    return statuses(records(target))


def records(target: Target, before: Iterable[AppRecords] = ()) -> list[AppRecords]:
    """The ledger's records of every app. Records in `before` are reused for apps without a push since."""
    return target.ask(lambda _: ledger.overview(before=before))


def statuses(records: Iterable[AppRecords]) -> list[tuple[AppStatus, list[Deployment]]]:
    """The state of every app, with its deployments."""
    found = ((states.status_of(each.app, each.current, each.deployments), each) for each in records)
    return [(status, each.deployments) for status, each in found if status]


def app_status(target: Target, app: str) -> AppStatus:
    """The state of one app. Raises Trouble if there is none of that name."""
    found = history(target, app)
    status = states.status_of(app, found.current, found.deployments)
    return status or refuse_unknown(target, app)


def history(target: Target, app: str, most: int = RECENT) -> AppHistory:
    """An app's history. Raises Trouble if there is none of that name."""
    return known(target, app, most) or refuse_unknown(target, app)


def _history(app: str, most: int) -> AppHistory:
    # In this order: the workflow writes the current deployment before the outcome.
    deployments = ledger.deployments(app=app, most=most)
    return AppHistory(app, ledger.current(app=app), deployments)


def stops(target: Target, app: str) -> list[dict[str, str]]:
    """The stops by operators, the last first: `action`, `by`, `reason`, `at` (ISO 8601)."""
    found = target.ask(lambda _: ledger.operations(app=app))
    names = ("action", "by", "reason", "at")
    return [
        {name: str(each.get(name, "")) for name in names}
        for each in found
        if each["action"] == "stop" and each.get("answer")
    ]


def known(target: Target, app: str, most: int = RECENT) -> AppHistory | None:
    """The history of an app of that name, None if there is none."""
    found = target.ask(lambda _: _history(app, most))
    return found if found.current or found.deployments else None


def find_deployment(target: Target, name: str) -> tuple[AppHistory, Deployment]:
    """The deployment whose id begins with this text. Raises Trouble if there is none, or several."""
    matches = target.ask(lambda _: ledger.find(name=name))
    if not matches:
        raise Trouble(
            f"There is no app and no deployment {name}. `portcall status` lists the apps. The id of a "
            f"deployment needs at least {ID_DIGITS} characters.",
            Exit.NO_SUCH_THING,
        )
    if len(matches) > 1:
        raise Trouble(
            f"Several deployments begin with {name}. Give more characters of the id.", Exit.NO_SUCH_THING
        )
    ((app, deployment),) = matches
    return known(target, app) or AppHistory(app, None, [deployment]), deployment


def deployment_of(target: Target, app: str, name: str) -> tuple[AppHistory, Deployment]:
    """A deployment of an app by its whole id. Raises Trouble if there is none."""
    for most in (RECENT, ALL):
        found = history(target, app, most)
        one = next((each for each in found.deployments if each.deployment == name), None)
        if one:
            return found, one
        if len(found.deployments) < most:
            break
    raise Trouble(f"{app} has no deployment {name}, or it is no longer kept.", Exit.NO_SUCH_THING)


def refuse_unknown(target: Target, app: str) -> Never:
    """Raise Trouble that there is no such app, and list the existing ones."""
    names = sorted(target.ask(lambda _: ledger.apps()))
    like = [each for each in names if each.partition(":")[0] == app.partition(":")[0]]
    there = ", ".join((like or names)[:10])
    hint = f"There are: {there}" if there else "Nothing has been pushed yet."
    raise Trouble(f"There is no app {app}. {hint}", Exit.NO_SUCH_THING)


def digest_of(target: Target, repository: str, tag: str) -> str:
    """The digest that a tag points to in ECR, '' if there is no such tag."""
    return target.ask(lambda _: ecr.digest_of(repository=repository, tag=tag))


def has_image(target: Target, repository: str, digest: str) -> bool:
    """Whether ECR has an image."""
    return target.ask(lambda _: ecr.has_image(repository=repository, digest=digest))


def histories_of(target: Target, repository: str, tag: str) -> list[AppHistory]:
    """The histories of the apps to which a push of a repository or tag may belong."""

    def ask(_: dict[str, str]) -> list[AppHistory]:
        apps = [repository, f"{repository}:{tag}"]
        if not tag:
            known = {each for each in ledger.apps() if each.partition(":")[0] == repository}
            apps = sorted({repository, *known})
        return [_history(app, RECENT) for app in apps]

    return target.ask(ask)


def log_source(status: AppStatus) -> tuple[str, str]:
    """The task whose log to show, the last push's if that failed, and its version; ('', '') if none."""
    latest, serving = status.latest, status.serving
    if status.state == "failed" and latest and latest.task:
        return latest.task, f"{states.version(latest.tag, latest.digest)}, which failed"
    if serving:
        return serving.task, states.version(serving.tag, serving.digest)
    if latest and latest.task:
        return latest.task, f"{states.version(latest.tag, latest.digest)}, {status.state}"
    return "", ""


def log_stream(app: str, task: str) -> str:
    """The stream of a task's log."""
    return task_definition.log_stream(app, task)


def last_lines(target: Target, app: str, task: str, lines: int, since: int = 0) -> list[str]:
    """The last lines that a task of an app wrote, oldest first; `since` is in UNIX seconds."""
    stream = log_stream(app, task)
    return target.ask(
        lambda outputs: logs.tail(group=outputs["AppLogGroupName"], stream=stream, lines=lines, since=since)
    )


def newer_lines(
    target: Target, app: str, task: str, token: str, lines: int, since: int = 0
) -> tuple[list[str], str]:
    """A task's lines after the token, and the next token; without a token, its last lines."""
    stream = log_stream(app, task)
    return target.ask(
        lambda outputs: logs.newer(
            group=outputs["AppLogGroupName"], stream=stream, token=token, lines=lines, since=since
        )
    )
