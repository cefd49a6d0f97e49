"""The news of a deployment: a mail that people read and a document that machines do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deployer.domain import superseded
from deployer.domain.deployment import Deployment
from deployer.domain.failure import Failure
from deployer.domain.push import Push
from deployer.domain.text import discreet, printable, without_keys

SUBJECT_LIMIT = 99
NAME_LIMIT = 40
LOG_LINES = 30
LOG_LINE_LIMIT = 500
DETAIL_LINES = 20
WORKER = "it runs, and listens on no port"


@dataclass(frozen=True)
class Mail:
    """`document` is the same news as JSON, for sqs, https and lambda subscribers."""

    subject: str
    text: str
    document: dict[str, object]
    attributes: dict[str, str]


@dataclass(frozen=True)
class Standing:
    """What serves though a deployment failed: `url` is '' if nothing does, and for a worker, which has none."""

    url: str
    is_newer: bool = False
    is_worker: bool = False


@dataclass(frozen=True)
class Context:
    """Where a deployment happened; `phases` are (name, seconds) in order.

    `direct_url` is the task's own, at which the app answers until the next deployment. `deploy_command` deploys
    the same image again.
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


def live(
    push: Push, url: str, previous: str, notes: Sequence[str], context: Context, *, resume_command: str = ""
) -> Mail:
    """The app answered at `url`, '' for a worker; `previous` the digest that it replaced, '' for the first.

    `resume_command` deploys the newest push after a rollback, '' if it was none.
    """
    before = (
        f"It replaced {previous}. To go back: portcall rollback {push.app}"
        if previous
        else "It is the first version."
    )
    if previous == push.digest:
        before = "It replaced a task of the same image."
    if resume_command:
        before = f"It was rolled back from {previous}. To deploy the newest push again: {resume_command}"
    how = "it answered at this address." if url else "it runs."
    said = [f"{push.app} is live: {how}", before, *notes]
    return _good_news(push, f"is live: {url or WORKER}", url, said, {"previous": previous}, context)


def live_again(
    push: Push, url: str, reason: str, notes: Sequence[str], context: Context, *, asked: bool = False
) -> Mail:
    """The app stopped by itself, or somebody `asked` for it; it was started again, and answered at `url`."""
    where = ", at this address" if context.direct_url in ("", url) else ", at the same address"
    said = [
        f"{push.app} {'was restarted' if asked else 'had stopped'}, and is live again{where if url else ''}.",
        f"Why: it was {reason}" if asked else f"Why it stopped: {reason}",
        *notes,
    ]
    return _good_news(push, f"is live again: {url or WORKER}", url, said, {"restarted": reason}, context)


def stopped(push: Push, reason: str, gave_up_reason: str, context: Context) -> Mail:
    """The app was switched over and stopped before its mail; `gave_up_reason` says why it is not restarted."""
    what_next = ["It is being restarted. Another email will say how that went."]
    if gave_up_reason:
        command = ["", "Start it again with:", "", f"    {context.deploy_command}"]
        what_next = [f"It won't be restarted: {printable(gave_up_reason)}", *command]
    said = [
        f"{push.app} was deployed, and stopped before this email was written.",
        f"Why it stopped: {printable(reason or gave_up_reason)}",
        *what_next,
        "",
        *_facts(push, context),
    ]
    return Mail(
        subject=_subject(push.app, "was deployed, but has stopped"),
        text="\n".join(said) + "\n",
        document=_document(push, context, "deployed")
        | {"stopped": printable(reason or gave_up_reason), "gave_up_reason": gave_up_reason},
        attributes={"app": push.app, "outcome": "deployed"},
    )


def _good_news(
    push: Push, summary: str, url: str, said: Sequence[str], document: dict[str, object], context: Context
) -> Mail:
    first = [url, ""] if url else []
    body = "\n".join([*first, *map(printable, said), "", *_direct(url, context), *_facts(push, context)])
    return Mail(
        subject=_subject(push.app, summary),
        text=body + "\n",
        document=_document(push, context, "deployed")
        | {"url": url, "direct_url": context.direct_url or url, **document},
        attributes={"app": push.app, "outcome": "deployed"},
    )


def _direct(url: str, context: Context) -> list[str]:
    """Where the app answers itself, if the URL is the stable one."""
    return [f"Direct:     {context.direct_url}"] if context.direct_url not in ("", url) else []


FIX_IT = "Fix it and push the new image. If the image is fine, start it again with:"
WATCH_IT = "To run it again, watch its repository again, then start it with:"


def given_up(
    push: Push,
    summary: str,
    reason: str,
    gave_up_reason: str,
    log: Sequence[str],
    context: Context,
    *,
    advice: str = FIX_IT,
) -> Mail:
    """The app is down, and is not started again until somebody pushes; `summary` ends the subject.

    `advice` comes before the command that starts it again.
    """
    body = "\n".join(
        [
            f"{push.app} is down and won't be restarted: {printable(gave_up_reason)}",
            f"Why it stopped: {printable(reason)}",
            "",
            advice,
            "",
            f"    {context.deploy_command}",
            "",
            *_facts(push, context),
            "",
            *_last_lines(log, context),
        ]
    )
    return Mail(
        subject=_subject(push.app, f"is down: {summary}"),
        text=body + "\n",
        document=_document(push, context, "given up")
        | {
            "reason": printable(reason),
            "gave_up_reason": printable(gave_up_reason),
            "log": log_excerpt(log),
            "deploy_command": context.deploy_command,
        },
        attributes={"app": push.app, "outcome": "failed"},
    )


def ended(push: Push, url: str, reason: str, deploy_command: str = "", *, replaced: bool = False) -> Mail:
    """The app was stopped for good; `deploy_command` brings it back, without one a push of its tag does.

    `replaced` says that it is there, as an app of another name.
    """
    back = ["", "To start it again:", "", f"    {deploy_command}"] if deploy_command else []
    body = "\n".join(
        [
            f"{push.app} has ended{f', and {url} no longer answers' if url else ''}.",
            f"Reason: {printable(reason)}",
            *([] if back or replaced else ["Push the tag again to start it again."]),
            *(["Environments was changed, so its tag is now deployed as that app."] if replaced else []),
            *back,
            "",
            f"Image:      {push.repository}:{push.tag}",
            f"Digest:     {push.digest}",
        ]
    )
    return Mail(
        subject=_subject(push.app, f"has ended: {reason[:1].lower()}{reason[1:].rstrip('.')}"),
        text=body + "\n",
        document={
            "outcome": "ended",
            "app": push.app,
            "tag": push.tag,
            "digest": push.digest,
            "deployment": push.deployment,
            "url": url,
            "reason": reason,
        },
        attributes={"app": push.app, "outcome": "ended"},
    )


def recorded(push: Push, why: str, serving: str, command: str, *, resumes: bool) -> Mail:
    """A push is recorded and not deployed; `command` starts the app, or lifts the pin if it `resumes`."""
    body = [
        printable(why),
        "",
        f"This push of {push.app} is recorded but not deployed:",
        "",
        f"    {push.repository}:{push.tag}, pushed at {push.time}",
        "",
        f"The previous version is still running at {serving}" if serving else "No version is running.",
        "To deploy the newest push anyway:" if resumes else "To start it with its newest push:",
        "",
        f"    {command}",
        "",
        f"Digest:     {push.digest}",
        f"Deployment: {push.deployment}",
    ]
    return Mail(
        subject=_subject(push.app, "has a push that is not deployed: " + _in_short(resumes)),
        text="\n".join(body) + "\n",
        document={
            "outcome": "recorded",
            "app": push.app,
            "tag": push.tag,
            "digest": push.digest,
            "deployment": push.deployment,
            "reason": printable(why),
            "serving": serving,
            "command": command,
        },
        attributes={"app": push.app, "outcome": "recorded"},
    )


def _in_short(resumes: bool) -> str:
    return "it was rolled back" if resumes else "the app is stopped"


def with_notes(news: Mail, notes: Sequence[str]) -> Mail:
    """The same mail, which says at its end what holds for the app."""
    if not notes:
        return news
    text = "\n".join([news.text.rstrip("\n"), "", *map(printable, notes)]) + "\n"
    return replace(news, text=text, document=news.document | {"notes": [printable(each) for each in notes]})


def not_deployed(push: Push, others: Sequence[Deployment], standing: Standing, deploy_command: str) -> Mail:
    """Pushes that were not deployed, though nothing newer is live; `push` is the newest of them.

    `deploy_command` deploys what its tag points to, unless that was deleted.
    """
    has_tag = others[0].reason != superseded.TAG_WAS_DELETED
    were = "A push of {} was" if len(others) == 1 else f"{len(others)} pushes of {{}} were"
    body = [
        f"{were.format(push.app)} not deployed, and no newer push is live:",
        "",
        *map(printable, superseded.named(others, why=True)),
        "",
        _serving(standing),
        *(
            [f"To deploy what the tag {push.tag} points to now:", "", f"    {deploy_command}"]
            if has_tag
            else ["Push the tag again to deploy it."]
        ),
    ]
    why = "its push was superseded" if has_tag else "its tag was deleted"
    return Mail(
        subject=_subject(push.app, f"was not deployed: {why}"),
        text="\n".join(body) + "\n",
        document={
            "outcome": "superseded",
            "app": push.app,
            "tag": push.tag,
            "digest": push.digest,
            "deployment": push.deployment,
            "pushes": [{"tag": each.tag, "digest": each.digest, "reason": each.reason} for each in others],
            "serving": standing.url,
            **({"deploy_command": deploy_command} if has_tag else {}),
        },
        attributes={"app": push.app, "outcome": "superseded"},
    )


def unwatched(push: Push, url: str, *, replaced_by: str, can_restart: bool, stop_command: str) -> Mail:
    """The app runs, but parameters have changed, and no push of it is deployed any more.

    `replaced_by` is the app of which a push of its tag is instead, `can_restart` says that its repository is
    watched.
    """
    if not can_restart:
        why = f"The repository {push.repository} is no longer watched (RepositoryName, RepositoryPattern)."
        then = "If it stops, it won't be restarted: Portcall has no permission to pull its image any more."
    elif replaced_by != push.app:
        why = (
            f"Environments was changed, so pushes of {push.repository}:{push.tag} are now deployed "
            f"as the app {replaced_by}."
        )
        then = (
            f"{push.app} ends when {replaced_by} is live with that tag. If it stops before that, it "
            "is restarted."
        )
    else:
        why = f"The tag {push.tag} is no longer watched (TagPattern)."
        then = "If it stops unexpectedly, it is restarted."
    where = f" at {url}" if url else ""
    text = [
        f"{push.app} is still running{where} and costs money, but its pushes are no longer deployed.",
        "",
        why,
        then,
        "",
        "To end it now:",
        "",
        f"    {stop_command}",
        "",
        "To watch it again, deploy Portcall with the previous value of that parameter.",
    ]
    return Mail(
        subject=_subject(push.app, "is no longer watched, but still runs"),
        text="\n".join(text) + "\n",
        document={
            "outcome": "unwatched",
            "app": push.app,
            "tag": push.tag,
            "digest": push.digest,
            "deployment": push.deployment,
            "url": url,
            "reason": why,
            "stop_command": stop_command,
        },
        attributes={"app": push.app, "outcome": "unwatched"},
    )


def held_back(push: Push, mails: int, until: str, ledger: str) -> Mail:
    """There were as many mails about a repository as there may be in an hour; `until` is when it is over."""
    text = [
        f"There were {mails} emails about {push.repository} in this hour, which is the limit.",
        "",
        f"Portcall sends no more emails about it until {until}. Its deployments continue, and other "
        "repositories are not affected.",
        f"The outcome of each push is in the DynamoDB table {ledger} and in the EventBridge events.",
        "",
        "If you do not expect this, find out who or what pushes to the repository.",
    ]
    return Mail(
        subject=_subject(push.repository, f"has too many emails: no more until {until}"),
        text="\n".join(text) + "\n",
        document={"outcome": "held back", "repository": push.repository, "mails": mails, "until": until},
        attributes={"app": push.app, "outcome": "held back"},
    )


def failed(
    push: Push,
    failure: Failure,
    standing: Standing,
    notes: Sequence[str],
    log: Sequence[str],
    context: Context,
) -> Mail:
    """The deployment failed.

    `standing` is what serves nevertheless; `notes` say what else is to know; `log` is the app's last output.
    """
    body = "\n".join(
        [
            f"{push.app} {failure.summary}.",
            f"Reason: {printable(failure.reason)}",
            "",
            failure.hint,
            *_again(failure, context),
            "",
            _serving(standing),
            *map(printable, notes),
            *_details(failure),
            "",
            *_facts(push, context),
            "",
            *_last_lines(log, context),
        ]
    )
    return Mail(
        subject=_subject(push.app, failure.summary),
        text=body + "\n",
        document=_document(push, context, "failed")
        | {
            "error": failure.error,
            "reason": printable(failure.reason),
            "hint": failure.hint,
            **({"deploy_command": context.deploy_command} if _again(failure, context) else {}),
            "details": [printable(line) for line in failure.details],
            "log": log_excerpt(log),
            "serving": standing.url,
        },
        attributes={"app": push.app, "outcome": "failed"},
    )


def _again(failure: Failure, context: Context) -> list[str]:
    """How to deploy the same image again, where that may help: a push of it would start nothing."""
    if not (context.deploy_command and (failure.again or failure.passing)):
        return []
    return ["", "To deploy the same image again:", "", f"    {context.deploy_command}"]


def _details(failure: Failure) -> list[str]:
    """The first of many, and the last; the document has them all."""
    lines = failure.details
    shown = lines if len(lines) <= DETAIL_LINES + 1 else [*lines[:DETAIL_LINES], "...", lines[-1]]
    return ["", *(f"    {printable(line)}" for line in shown)] if shown else []


def _serving(standing: Standing) -> str:
    if standing.is_worker:
        return f"{'A newer version' if standing.is_newer else 'The previous version'} is still running."
    if not standing.url:
        return "No other version is running."
    which = "A newer version is running" if standing.is_newer else "The previous version is still running"
    return f"{which} at {standing.url}"


def log_excerpt(log: Sequence[str]) -> list[str]:
    """The last lines of a log, fit for a mail: no secrets, nothing that could break it, and none too long."""
    return [discreet(printable(line, LOG_LINE_LIMIT)) for line in without_keys(log)[-LOG_LINES:]]


def _last_lines(log: Sequence[str], context: Context) -> list[str]:
    lines = log_excerpt(log)
    if not lines and not context.task:
        return ["No task was started, so there is no log."]
    if not lines:
        return ["Its log was empty when this email was written."]
    which = "The last line" if len(lines) == 1 else f"The last {len(lines)} lines"
    return [f"{which} of its log:", "", *(f"    {line}" for line in lines)]


def _facts(push: Push, context: Context) -> list[str]:
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
        **({"stop_code": context.stop_code} if context.stop_code else {}),
        **({} if context.exit_code is None else {"exit_code": context.exit_code}),
    }


def _subject(app: str, summary: str) -> str:
    """What SNS takes: fewer than 100 characters, all of them ASCII. A long name leaves room for the summary."""
    name = app if len(app) <= NAME_LIMIT else "..." + app[3 - NAME_LIMIT :]
    plain = printable(f"{name} {summary}").strip().encode("ascii", "replace").decode()
    return plain if len(plain) <= SUBJECT_LIMIT else plain[: SUBJECT_LIMIT - 3] + "..."
