"""The news of a deployment: a mail that people read and a document that machines do."""

from collections.abc import Sequence
from dataclasses import dataclass

from deployer.domain.failure import Failure
from deployer.domain.push import Push

SUBJECT_LIMIT = 99
LOG_LINES = 30
LOG_LINE_LIMIT = 500


@dataclass(frozen=True)
class Mail:
    """`document` is the same news as JSON, for sqs, https and lambda subscribers."""

    subject: str
    text: str
    document: dict[str, object]
    attributes: dict[str, str]


@dataclass(frozen=True)
class Context:
    """Where a deployment happened; `phases` are (name, seconds) in order.

    `direct_url` is the task's own, at which the app answers until the next deployment.
    """

    revision: str
    task: str
    log_group: str
    log_stream: str
    region: str
    phases: Sequence[tuple[str, float]]
    direct_url: str = ""


def live(push: Push, url: str, previous: str, notes: Sequence[str], context: Context) -> Mail:
    """The app answered at `url`; `previous` is the digest that it replaced, '' if it is the first."""
    before = f"It replaced {previous}; push that again to go back." if previous else "It is the first version."
    said = [f"{push.app} is live: it answered at this address.", before, *notes]
    return _good_news(push, f"{push.app} is live: {url}", url, said, {"previous": previous}, context)


def live_again(push: Push, url: str, reason: str, notes: Sequence[str], context: Context) -> Mail:
    """The app stopped by itself, was started again, and answered at `url`."""
    where = "this new address" if context.direct_url in ("", url) else "the same address"
    said = [
        f"{push.app} had stopped, and is live again, at {where}.",
        f"Why it stopped: {reason}",
        *notes,
    ]
    return _good_news(push, f"{push.app} is live again: {url}", url, said, {"restarted": reason}, context)


def _good_news(
    push: Push, subject: str, url: str, said: Sequence[str], document: dict[str, object], context: Context
) -> Mail:
    body = "\n".join([url, "", *map(_printable, said), "", *_direct(url, context), *_facts(push, context)])
    return Mail(
        subject=_subject(subject),
        text=body + "\n",
        document=_document(push, context, "deployed")
        | {"url": url, "direct_url": context.direct_url or url, **document},
        attributes={"app": push.app, "outcome": "deployed"},
    )


def _direct(url: str, context: Context) -> list[str]:
    """Where the app answers itself, if the URL is that of an address that stays."""
    return [f"Direct:     {context.direct_url}"] if context.direct_url not in ("", url) else []


def given_up(push: Push, reason: str, halted: str, log: Sequence[str], context: Context) -> Mail:
    """The app is down, and is not started again until somebody pushes."""
    body = "\n".join(
        [
            _printable(reason),
            "",
            f"{push.app} is down, and is not started again: {halted}",
            "Mend it and push; that starts it.",
            "",
            *_facts(push, context),
            "",
            *_last_lines(log),
        ]
    )
    return Mail(
        subject=_subject(f"{push.app} is down: it keeps crashing"),
        text=body + "\n",
        document=_document(push, context, "given up") | {"reason": reason, "halted": halted, "log": _tail(log)},
        attributes={"app": push.app, "outcome": "failed"},
    )


def failed(
    push: Push, failure: Failure, serving: str, notes: Sequence[str], log: Sequence[str], context: Context
) -> Mail:
    """The deployment failed.

    `serving` is the URL of the version before, '' if there is none; `notes` say what else is to know;
    `log` is the app's last output.
    """
    before = f"The version before is still serving at {serving}" if serving else "No earlier version serves."
    body = "\n".join(
        [
            _printable(failure.reason),
            "",
            f"{push.app} {failure.verdict}.",
            failure.hint,
            before,
            *notes,
            "",
            *_facts(push, context),
            "",
            *_last_lines(log),
        ]
    )
    return Mail(
        subject=_subject(f"{push.app} {failure.verdict}"),
        text=body + "\n",
        document=_document(push, context, "failed")
        | {
            "error": failure.error,
            "reason": failure.reason,
            "hint": failure.hint,
            "log": _tail(log),
            "serving": serving,
        },
        attributes={"app": push.app, "outcome": "failed"},
    )


def _tail(log: Sequence[str]) -> list[str]:
    return [_printable(line)[:LOG_LINE_LIMIT] for line in log][-LOG_LINES:]


def _last_lines(log: Sequence[str]) -> list[str]:
    tail = _tail(log)
    if not tail:
        return ["It wrote nothing to its log."]
    return [f"The last {len(tail)} lines that it wrote:", "", *(f"    {line}" for line in tail)]


def _facts(push: Push, context: Context) -> list[str]:
    total = sum(seconds for _, seconds in context.phases)
    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in context.phases)
    logs = (
        f"aws logs tail {context.log_group} --log-stream-names {context.log_stream} --region {context.region}"
    )
    facts = [
        ("Image", f"{push.app}:{push.tag}"),
        ("Digest", push.digest),
        ("Revision", context.revision.rsplit("/", 1)[-1]),
        ("Task", context.task.rsplit("/", 1)[-1]),
        ("Took", f"{total:.1f} s ({steps})" if steps else ""),
        ("Logs", logs if context.task else ""),
        ("Deployment", push.deployment),
    ]
    return [f"{name + ':':<12}{value}" for name, value in facts if value]


def _document(push: Push, context: Context, outcome: str) -> dict[str, object]:
    return {
        "outcome": outcome,
        "app": push.app,
        "tag": push.tag,
        "digest": push.digest,
        "deployment": push.deployment,
        "revision": context.revision,
        "task": context.task,
        "phases": {name: round(seconds, 3) for name, seconds in context.phases},
    }


def _subject(text: str) -> str:
    """SNS takes fewer than 100 ASCII characters without control characters."""
    plain = _printable(text).encode("ascii", "replace").decode()
    return plain if len(plain) <= SUBJECT_LIMIT else plain[: SUBJECT_LIMIT - 3] + "..."


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text).strip()
