"""Why a deployment failed, in plain words, and the one hint that fits."""

import json
import re
from dataclasses import dataclass
from typing import Any

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
    ours = task is not None and task.stopped_reason.startswith("Portcall:")
    stopped = task if task and not ours and (task.stop_code or task.exit_code is not None) else None
    if error in ("NoAnswerError", "States.Timeout") and stopped:
        error, message = "TaskStoppedError", stopped.why_stopped()
    if error == "TaskStoppedError":
        verdict, hint = _stopped(stopped, message, log, memory, architecture)
        return Failure(error, verdict, message, hint)
    verdict, hint = OTHERS.get(error, ("failed for a reason not seen before", UNKNOWN))
    if error == "FindingsError":
        reason, *details = message.split("\n")
        found = FOUND.search(reason)
        return Failure(error, f"was refused: {found[1]}" if found else verdict, reason, hint, tuple(details))
    hint = hint.format(port=port)
    other = _port_in(log, port) if error == "NoAnswerError" else None
    if other:
        hint = f"Its log speaks of port {other}, but {port} was asked. {hint}"
    return Failure(error, verdict, message, hint)


def _port_in(log: list[str], asked: int) -> int | None:
    """The port that the app itself says it listens on, as nearly all servers do when they start."""
    for line in log:
        for found in LISTENING.finditer(line):
            port = int(found["port"])
            if port != asked and 0 < port < 65536:
                return port
    return None


# "Listening at: http://0.0.0.0:8080", "listening on port 8080", "Serving HTTP on 0.0.0.0 port 8080"
LISTENING = re.compile(
    r"(?:listen|serv|start|running|bound).{0,60}?"
    r"(?:port[ =:]+|localhost:|\.\d+:|[\]\s*]:)(?P<port>[1-9]\d{1,4})\b",
    re.IGNORECASE,
)


FOUND = re.compile("The scan found (.+), and")

UNKNOWN = "This looks like a fault of Portcall, not of your image. Please report it with this mail."

OTHERS = {
    "NoAnswerError": (
        "never answered",
        "The app must listen on 0.0.0.0 (not 127.0.0.1), port {port}. If it uses another port, deploy Portcall "
        "with ContainerPort set to it; if it starts slowly, with a larger HealthTimeout.",
    ),
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


def _stopped(
    task: Task | None, message: str, log: list[str], memory: str, architecture: str
) -> tuple[str, str]:
    platform = CONSOLE_WORDS.get(architecture, architecture)
    said = " ".join([message, *log]).lower()
    code = task.exit_code if task else None
    if "exec format error" in said or ("cannotpull" in said and "platform" in said):
        return "failed to start: wrong CPU architecture", (
            f"The image is built for another CPU than {platform}. Build it with "
            f"`docker build --platform {platform} ...`, or deploy Portcall with the other CpuArchitecture."
        )
    if "cannotpull" in said:
        return "failed to start: the image could not be pulled", (
            "Does the image still exist in the repository? Push it again."
        )
    if "outofmemory" in said:
        return "failed: out of memory", (
            f"The app needs more than {memory} MiB. Deploy Portcall with a larger TaskMemory."
        )
    if "cannotstartcontainer" in said or "cannotcreatecontainer" in said or code in (126, 127):
        return "failed to start: its command cannot be run", (
            "The program that CMD or ENTRYPOINT names is not in the image, or is not executable."
        )
    if "secret" in said and "resourceinitialization" in said:
        return (
            "failed to start: a secret is missing",
            "Create the secret that the reason names, then push again.",
        )
    if code == 0:
        return "failed: it ended by itself (exit code 0)", (
            "A deployed app must keep running in the foreground: start the server itself in CMD."
        )
    if code is not None:
        return f"failed to start: exit code {code}", "The app ended by itself; its last words are below."
    return "failed to start", "Read the reason above; it is AWS's own."


def read_error(caught: dict[str, Any]) -> tuple[str, str]:
    """The name and the message of what the workflow caught: `{"Error": name, "Cause": text or JSON}`."""
    cause = str(caught.get("Cause") or "")
    try:
        document = json.loads(cause)
        message = str(document.get("errorMessage") or cause)
    except (ValueError, AttributeError):
        message = cause
    return str(caught.get("Error") or "Unknown"), message or "AWS gave no reason."
