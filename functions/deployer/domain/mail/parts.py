"""The parts of the mails, so that each mail has the same facts in the same place."""

from collections.abc import Sequence
from dataclasses import dataclass

from deployer.domain.deployment import Current
from deployer.domain.push import Push
from deployer.domain.text import at, discreet, printable, without_keys

SUBJECT_LIMIT = 99
NAME_LIMIT = 40
LOG_LINES = 30
LOG_LINE_LIMIT = 500


@dataclass(frozen=True)
class Mail:
    """`document` has the same facts as JSON, for sqs, https and lambda subscribers."""

    subject: str
    text: str
    document: dict[str, object]
    attributes: dict[str, str]


@dataclass(frozen=True)
class Standing:
    """What runs after a push that is not live; `url` is '' if nothing runs, and for a worker."""

    url: str
    is_newer: bool = False
    is_worker: bool = False

    @property
    def runs(self) -> bool:
        """Whether a version runs. A URL alone does not say so: a worker has none."""
        return self.is_worker or bool(self.url)


NOTHING = Standing("")


def standing_of(current: Current, *, is_newer: bool = False) -> Standing:
    """What a mail says about a deployment that runs."""
    return Standing(current.url, is_newer=is_newer, is_worker=current.is_worker)


@dataclass(frozen=True)
class Context:
    """The details of a deployment; `phases` are (name, seconds) in order.

    `direct_url` is the task's own URL, which works until the next deployment. `deploy_command` deploys the same
    image again.
    """

    revision: str
    task: str
    log_group: str
    log_stream: str
    region: str
    phases: Sequence[tuple[str, float]]
    stop_code: str = ""
    exit_code: int | None = None
    direct_url: str = ""
    deploy_command: str = ""


def serving_line(standing: Standing) -> str:
    if not standing.runs:
        return "No other version is running."
    which = "A newer version is running" if standing.is_newer else "The previous version is still running"
    return which + (at(standing.url) or ".")


def log_excerpt(log: Sequence[str]) -> list[str]:
    """The last lines of a log for a mail: without secrets and control characters, and cut to length."""
    return [discreet(printable(line, LOG_LINE_LIMIT)) for line in without_keys(log)[-LOG_LINES:]]


def fact_lines(push: Push, context: Context) -> list[str]:
    total = sum(seconds for _, seconds in context.phases)
    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in context.phases)
    logs = (
        f"aws logs tail {context.log_group} --log-stream-names {context.log_stream} --region {context.region}"
    )
    facts = [
        ("Image", f"{push.repository}:{push.tag}"),
        ("Digest", push.digest),
        ("Revision", context.revision.rsplit("/", 1)[-1]),
        ("Task", context.task.rsplit("/", 1)[-1]),
        ("Stop code", context.stop_code),
        ("Took", f"{total:.1f} s ({steps})" if steps else ""),
        ("Logs", logs if context.task else ""),
        ("Deployment", push.deployment),
    ]
    return [f"{name + ':':<12}{value}" for name, value in facts if value]


def document_of(push: Push, context: Context, outcome: str) -> dict[str, object]:
    return {
        "outcome": outcome,
        "app": push.app,
        "tag": push.tag,
        "digest": push.digest,
        "deployment": push.deployment,
        "revision": context.revision,
        "task": context.task,
        "phases": {name: round(seconds, 3) for name, seconds in context.phases},
        **({"stop_code": context.stop_code} if context.stop_code else {}),
        **({} if context.exit_code is None else {"exit_code": context.exit_code}),
    }


def subject_of(app: str, summary: str) -> str:
    """A subject that SNS accepts: fewer than 100 ASCII characters. Long names are cut to fit the summary."""
    name = app if len(app) <= NAME_LIMIT else "..." + app[3 - NAME_LIMIT :]
    plain = printable(f"{name} {summary}").strip().encode("ascii", "replace").decode()
    return plain if len(plain) <= SUBJECT_LIMIT else plain[: SUBJECT_LIMIT - 3] + "..."
