"""Mails about an app that has stopped, has ended, or is no longer watched."""

from collections.abc import Sequence

from deployer.domain.mail.failure import last_lines
from deployer.domain.mail.parts import Context, Mail, document_of, fact_lines, log_excerpt, subject_of
from deployer.domain.push import Push
from deployer.domain.text import at, printable

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
    """The app is down, and Portcall will not restart it; `summary` ends the subject.

    `advice` comes before the command that starts it again.
    """
    body = "\n".join(
        [
            f"{push.app} is down and won't be restarted. {printable(gave_up_reason)}",
            f"Why it stopped: {printable(reason)}",
            "",
            advice,
            "",
            f"    {context.deploy_command}",
            "",
            *fact_lines(push, context),
            "",
            *last_lines(log, context),
        ]
    )
    return Mail(
        subject=subject_of(push.app, f"is down: {summary}"),
        text=body + "\n",
        document=document_of(push, context, "given up")
        | {
            "reason": printable(reason),
            "gave_up_reason": printable(gave_up_reason),
            "log": log_excerpt(log),
            "deploy_command": context.deploy_command,
        },
        attributes={"app": push.app, "outcome": "failed"},
    )


def ended(push: Push, url: str, reason: str, deploy_command: str = "", *, replaced: bool = False) -> Mail:
    """The app was stopped for good. `deploy_command` brings it back; without one, a push of its tag does.

    `replaced` says that it runs as an app of another name.
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
        subject=subject_of(push.app, f"has ended: {reason[:1].lower()}{reason[1:].rstrip('.')}"),
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


def unwatched(push: Push, url: str, *, replaced_by: str, can_restart: bool, stop_command: str) -> Mail:
    """The app runs, but parameters have changed, and its pushes are no longer deployed.

    `replaced_by` is the app that pushes of its tag now deploy; `can_restart` says that its repository is
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
        then = f"{push.app} ends when {replaced_by} is live. Until then it is restarted if it stops."
    else:
        why = f"The tag {push.tag} is no longer watched (TagPattern)."
        then = "If it stops unexpectedly, it is restarted."
    text = [
        f"{push.app} is still running{at(url)} and costs money, but its pushes are no longer deployed.",
        "",
        why,
        then,
        "",
        "To end it now:",
        "",
        f"    {stop_command}",
        "",
        "To deploy its pushes again, deploy Portcall with the previous parameter values.",
    ]
    return Mail(
        subject=subject_of(push.app, "is no longer watched, but still runs"),
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
