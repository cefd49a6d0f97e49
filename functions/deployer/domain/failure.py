"""Why a deployment failed, in plain words, and the one hint that fits."""

import json
from dataclasses import dataclass
from typing import Any

from deployer.domain import silence, stops
from deployer.domain.task import Task

CONSOLE_WORDS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}


@dataclass(frozen=True)
class Failure:
    """`verdict` ends the mail's subject, `reason` is one sentence, `hint` says what to do."""

    error: str
    verdict: str
    reason: str
    hint: str


def explain(
    *, error: str, message: str, task: Task | None, log: list[str], port: int, memory: str, architecture: str
) -> Failure:
    """Find the verdict and the hint; an error that nobody foresaw is told as it is."""
    # One that we stopped ourselves tells nothing of why.
    stopped = (
        task if task and not task.stopped_by_us and (task.stop_code or task.exit_code is not None) else None
    )
    if error in ("NoAnswerError", "States.Timeout") and stopped:
        error, message = "TaskStoppedError", stopped.why_stopped()
    if error == "TaskStoppedError":
        verdict, hint = _stopped(stopped, message, log, memory, architecture)
    elif error == "NoAnswerError":
        verdict, hint = silence.explain(message, log, port)
    elif "No Fargate configuration exists" in message:
        verdict, hint = SIZE
    else:
        verdict, hint = OTHERS.get(error) or _fault(error)
    return Failure(error, verdict, message, hint)


def _stopped(
    task: Task | None, message: str, log: list[str], memory: str, architecture: str
) -> tuple[str, str]:
    if task and task.stop_code == "UserInitiated":
        return "failed: somebody stopped its task", "Push again, if that was not meant."
    return stops.recognize(
        reason=message,
        log=log,
        code=task.exit_code if task else None,
        platform=CONSOLE_WORDS.get(architecture, architecture),
        memory=memory,
    )


def _fault(error: str) -> tuple[str, str]:
    if error.startswith(("Lambda.", "Sandbox.", "Runtime.")):
        return "failed: a function of Portcall did not end", "Push again; if it stays so, please report it."
    return "failed for a reason not seen before", UNKNOWN


SIZE = (
    "failed: Fargate has no such size",
    "TaskMemory does not go with TaskCpu. With 256 CPU there are 512, 1024 and 2048 MiB, with 512 CPU 1024 "
    "to 4096, with more CPU more: "
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html",
)
UNKNOWN = "This looks like a fault of Portcall, not of your image. Please report it with this mail."

OTHERS = {
    "AccessDeniedError": (
        "failed: Portcall lacks a permission",
        "Deploy Portcall again (sam deploy), which restores its roles; if a policy of your organisation denies "
        "the call, ask for it to be allowed.",
    ),
    "NoCapacityError": (
        "failed: AWS has no capacity",
        "Push again in a few minutes. If it stays so, your account may be at its Fargate vCPU quota (6 by "
        "default): ask for more under Service Quotas, or stop tasks that you do not need.",
    ),
    "AbortedError": (
        "was aborted",
        "Somebody, or AWS, ended its execution before it was done. Push again if it was not you.",
    ),
    "MailLimitError": ("failed: too many mails at once", "Push again in a minute."),
    "ContendedError": ("failed: too many pushes at once", "Push again in a minute."),
    "ThrottledError": (
        "failed: AWS throttled the calls",
        "Push again in a minute; too much happened at once.",
    ),
    "AwsUnavailableError": ("failed: AWS did not answer", "Push again in a few minutes."),
    "AddressNotReadyError": (
        "failed: it got no public IP",
        "Push again; if it stays so, look at the subnets.",
    ),
    "BadEventError": ("failed: the event is not a push", "Push the image again with a tag."),
    "AwsRefusedError": (
        "failed: AWS refused a call",
        "Read the reason above: it is AWS's own. Push again once what it names is mended.",
    ),
    "States.Timeout": (
        "failed: it took too long",
        "The image may be very large, or AWS slow. Push again; a smaller image starts faster.",
    ),
}


def read_error(caught: dict[str, Any]) -> tuple[str, str]:
    """The name and the message of what the workflow caught: `{"Error": name, "Cause": text or JSON}`."""
    cause = str(caught.get("Cause") or "")
    try:
        document = json.loads(cause)
        message = str(document.get("errorMessage") or cause)
    except (ValueError, AttributeError):
        message = cause
    error = str(caught.get("Error") or "Unknown")
    return error, message or ("A step took too long." if error == "States.Timeout" else "AWS gave no reason.")
