"""Mails about an app that is live, or was."""

from collections.abc import Sequence

from deployer.domain.mail.parts import Context, Mail, document_of, fact_lines, subject_of
from deployer.domain.push import Push
from deployer.domain.text import printable

WORKER = "it runs, and listens on no port"


def live(
    push: Push, url: str, previous: str, notes: Sequence[str], context: Context, *, resume_command: str = ""
) -> Mail:
    """The app answered at `url`, '' for a worker; `previous` is the replaced digest, '' for the first version.

    `resume_command` ends a rollback and deploys the newest push, '' if this was not a rollback.
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
    """The app was restarted, because it stopped or an operator `asked` for it, and answered at `url`."""
    where = " at this address" if context.direct_url in ("", url) else " at the same address"
    what = "was restarted" if asked else "stopped and was restarted"
    said = [
        f"{push.app} {what}. It is live again{where if url else ''}.",
        f"Why: it was {reason}" if asked else f"Why it stopped: {reason}",
        *notes,
    ]
    return _good_news(push, f"is live again: {url or WORKER}", url, said, {"restarted": reason}, context)


def stopped(push: Push, reason: str, gave_up_reason: str, context: Context) -> Mail:
    """The app was switched over and stopped before its mail. `gave_up_reason` says why it is not restarted."""
    what_next = ["It is being restarted. Another email will say how that went."]
    if gave_up_reason:
        command = ["", "Start it again with:", "", f"    {context.deploy_command}"]
        what_next = [f"It won't be restarted. {printable(gave_up_reason)}", *command]
    said = [
        f"{push.app} was deployed, and stopped before this email was written.",
        f"Why it stopped: {printable(reason or gave_up_reason)}",
        *what_next,
        "",
        *fact_lines(push, context),
    ]
    return Mail(
        subject=subject_of(push.app, "was deployed, but has stopped"),
        text="\n".join(said) + "\n",
        document=document_of(push, context, "deployed")
        | {"stopped": printable(reason or gave_up_reason), "gave_up_reason": gave_up_reason},
        attributes={"app": push.app, "outcome": "deployed"},
    )


def _good_news(
    push: Push, summary: str, url: str, said: Sequence[str], document: dict[str, object], context: Context
) -> Mail:
    first = [url, ""] if url else []
    body = "\n".join([*first, *map(printable, said), "", *_direct(url, context), *fact_lines(push, context)])
    return Mail(
        subject=subject_of(push.app, summary),
        text=body + "\n",
        document=document_of(push, context, "deployed")
        | {"url": url, "direct_url": context.direct_url or url, **document},
        attributes={"app": push.app, "outcome": "deployed"},
    )


def _direct(url: str, context: Context) -> list[str]:
    """The line with the task's own URL, if the mail's URL is the stable one."""
    return [f"Task URL:   {context.direct_url}"] if context.direct_url not in ("", url) else []
