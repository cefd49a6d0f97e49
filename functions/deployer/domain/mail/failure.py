"""The mail about a deployment that failed."""

from collections.abc import Sequence

from deployer.domain.failure import Failure
from deployer.domain.mail.parts import (
    Context,
    Mail,
    Standing,
    document_of,
    fact_lines,
    log_excerpt,
    serving_line,
    subject_of,
)
from deployer.domain.push import Push
from deployer.domain.text import printable

DETAIL_LINES = 20


def failed(
    push: Push,
    failure: Failure,
    standing: Standing,
    notes: Sequence[str],
    log: Sequence[str],
    context: Context,
) -> Mail:
    """The deployment failed.

    `standing` is what serves now; `notes` are more lines; `log` is the app's last output.
    """
    body = "\n".join(
        [
            f"{push.app} {failure.summary}.",
            f"Reason: {printable(failure.reason)}",
            "",
            failure.hint,
            *_again(failure, context),
            "",
            serving_line(standing),
            *map(printable, notes),
            *_details(failure),
            "",
            *fact_lines(push, context),
            "",
            *last_lines(log, context),
        ]
    )
    return Mail(
        subject=subject_of(push.app, failure.summary),
        text=body + "\n",
        document=document_of(push, context, "failed")
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
    """How to deploy the same image again, if that may help: a push of it would start nothing."""
    if not (context.deploy_command and (failure.again or failure.passing)):
        return []
    return ["", "To deploy the same image again:", "", f"    {context.deploy_command}"]


def _details(failure: Failure) -> list[str]:
    """The first lines and the last one; the document has all of them."""
    lines = failure.details
    shown = lines if len(lines) <= DETAIL_LINES + 1 else [*lines[:DETAIL_LINES], "...", lines[-1]]
    return ["", *(f"    {printable(line)}" for line in shown)] if shown else []


def last_lines(log: Sequence[str], context: Context) -> list[str]:
    lines = log_excerpt(log)
    if not lines and not context.task:
        return ["No task was started, so there is no log."]
    if not lines:
        return ["Its log was empty when this email was written."]
    which = "The last line" if len(lines) == 1 else f"The last {len(lines)} lines"
    return [f"{which} of its log:", "", *(f"    {line}" for line in lines)]
