"""Why a deployment failed, in plain words, and the one hint that fits."""

import json
import re
from dataclasses import dataclass
from typing import Any

from deployer.domain import silence, stops
from deployer.domain.task import Task

CONSOLE_WORDS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}


@dataclass(frozen=True)
class Failure:
    """`verdict` ends the mail's subject, `reason` is one sentence, `hint` says what to do.

    `details` are lines for whoever wants to know more, of which the last says where to read all.
    """

    error: str
    verdict: str
    reason: str
    hint: str
    details: tuple[str, ...] = ()


def explain(
    *, error: str, message: str, task: Task | None, log: list[str], port: int, memory: str, architecture: str
) -> Failure:
    """Find the verdict and the hint; an error that nobody foresaw is told as it is."""
    # One that we stopped ourselves tells nothing of why.
    stopped = (
        task if task and not task.stopped_by_us and (task.stop_code or task.exit_code is not None) else None
    )
    if error == "NoAnswerYetError":
        # The workflow gave up before the time was up; to whoever pushed that is the same.
        error = "NoAnswerError"
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
    if error == "FindingsError":
        message, *details = message.split("\n")
        found = FOUND.search(message)
        verdict = f"was refused: {found[1]}" if found else verdict
        return Failure(error, verdict, message, hint, tuple(details))
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
FOUND = re.compile("The scan found (.+), and")

UNKNOWN = "This looks like a fault of Portcall, not of your image. Please report it with this mail."

OTHERS = {
    "PreviewLimitError": (
        "was refused: too many previews",
        "Delete a tag that is no longer needed, or deploy Portcall with a larger MaxPreviews.",
    ),
    "WrongImageError": (
        "failed: another image runs than was pushed",
        "Push the image again. If it stays so, please report it with this mail.",
    ),
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
    "UnsupportedImageError": (
        "was refused: the image cannot run on Fargate",
        "Build it as the reason says, and push it again.",
    ),
    "BadLabelError": (
        "was refused: a label is wrong",
        "Change that LABEL in the Dockerfile, or in the image that FROM names; build and push again.",
    ),
    "FindingsError": (
        "was refused: its scan found vulnerabilities",
        "Build it on a base image of today (docker build --pull --no-cache ...), which has most of the fixes, "
        "and push it; or deploy Portcall with another BlockOnFindings.",
    ),
    "NotScannedError": (
        "was refused: it was not scanned",
        "Push it again once it can be scanned; ECR's enhanced scanning knows more kinds of images than basic "
        "scanning. Or let in what is not scanned: deploy Portcall with WhenNotScanned=deploy.",
    ),
    "ScanPendingError": ("failed: its scan did not end", "Push again in a few minutes."),
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
