"""Why a deployment failed, in plain words, with one hint."""

import json
import re
from dataclasses import dataclass, replace

from deployer.domain import no_answer, stop_reasons
from deployer.domain.document import Caught
from deployer.domain.stop_rules import Words
from deployer.domain.task import Task
from deployer.domain.text import ESCAPES, discreet

GONE_FROM_ECR = "Its image is gone from ECR."
CONSOLE_WORDS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}


@dataclass(frozen=True)
class Failure:
    """`summary` ends the mail's subject, `reason` is one sentence, `hint` says what to do.

    `details` are more lines; the last one says where to read everything. `again` says that deploying the same
    image again may work, `passing` that AWS's side failed and this may pass, `is_gone` that the image is no
    longer in the repository.
    """

    error: str
    summary: str
    reason: str
    hint: str
    details: tuple[str, ...] = ()
    again: bool = False
    passing: bool = False
    is_gone: bool = False

    def of_a_restart(self) -> "Failure":
        """The same for a version that was live before: if its image is gone, only a push brings it back."""
        if not self.is_gone:
            return self
        hint = (
            "It stopped and cannot be restarted, because its image is no longer in the repository. A "
            "lifecycle policy or a person deleted it. Push the image again to start the app."
        )
        return replace(self, summary="is down: its image is gone from ECR", hint=hint, again=False)


def explain(
    *, error: str, message: str, task: Task | None, log: list[str], port: int, memory: str, architecture: str
) -> Failure:
    """Find the summary and the hint. An unknown error is reported as it is.

    `log` are the last lines as the app wrote them.
    """
    log = [discreet(ESCAPES.sub("", line)) for line in log]
    # The stop reason of a task that we stopped ourselves says nothing.
    stopped = (
        task if task and not task.stopped_by_us and (task.stop_code or task.exit_code is not None) else None
    )
    if error in ("NoAnswerError", "States.Timeout") and stopped:
        error, message = "TaskStoppedError", stopped.why_stopped()
    if error == "TaskStoppedError":
        words = _stopped(stopped, message, log, memory, architecture)
    elif error == "NoAnswerError":
        words = no_answer.recognize(message, log, port)
    elif "No Fargate configuration exists" in message:
        words = SIZE
    else:
        words = OTHERS.get(error) or _fault(error)
    summary, details = words.summary, []
    if error == "FindingsError":
        message, *details = message.split("\n")
        found = FOUND.search(message)
        summary = f"was refused: {found[1]}" if found else summary
    return Failure(
        error, summary, message, words.hint, tuple(details), words.again, words.passing, words.is_gone
    )


def _stopped(task: Task | None, message: str, log: list[str], memory: str, architecture: str) -> Words:
    if task and task.stop_code == "UserInitiated":
        return Words("failed: somebody stopped its task", "If that was a mistake, deploy it again.", again=True)
    return stop_reasons.recognize(
        reason=message,
        log=log,
        code=task.exit_code if task else None,
        platform=CONSOLE_WORDS.get(architecture, architecture),
        memory=memory,
    )


def _fault(error: str) -> Words:
    if error.startswith(("Lambda.", "Sandbox.", "Runtime.")):
        return Words(
            "failed: one of Portcall's functions did not finish",
            "The image is probably not the cause. If it happens again, please report it with this email.",
            passing=True,
        )
    return Words("failed for a reason not seen before", UNKNOWN, again=True)


SIZE = Words(
    "failed: Fargate has no such size",
    "Fargate does not offer TaskMemory with this TaskCpu. With 256 CPU units it offers 512, 1024 and "
    "2048 MiB, with 512 CPU units 1024 to 4096, with more CPU more: "
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html",
    again=True,
)
FOUND = re.compile("The scan found (.+), and")

UNKNOWN = "This looks like a bug in Portcall, not in your image. Please report it with this email."

OTHERS = {
    "PreviewLimitError": Words(
        "was refused: too many previews",
        "Delete a tag that you no longer need, or deploy Portcall with a larger value of the "
        "parameter in the reason.",
        again=True,
    ),
    "AppLimitError": Words(
        "was refused: too many apps",
        "End an app that you no longer need (portcall end), or deploy Portcall with a larger "
        "MaxApps. Pushes to running apps are not affected.",
        again=True,
    ),
    "DeploymentLimitError": Words(
        "was refused: too many deployments at once",
        "Wait until some of them are complete.",
        again=True,
    ),
    "WrongImageError": Words(
        "failed: the running image is not the pushed one",
        "If it happens again, please report it with this email.",
        again=True,
    ),
    "AccessDeniedError": Words(
        "failed: Portcall lacks a permission",
        "Either a role of Portcall was changed, or a policy of your organization denies the call. "
        "`sam deploy` does not undo manual changes; *Detect drift* in the CloudFormation console "
        "shows them, so that you can undo them. If a policy denies the call, ask your administrator "
        "to allow it.",
        again=True,
    ),
    "TagNotSeenError": Words(
        "failed: ECR does not show the push",
        "ECR takes longer than usual to show the image of the tag.",
        passing=True,
    ),
    "NoCapacityError": Words(
        "failed: AWS has no capacity",
        "Your account may have reached its Fargate vCPU quota (6 by default): request more under "
        "Service Quotas, or stop tasks that you do not need. Otherwise AWS is temporarily short of "
        "capacity.",
        passing=True,
    ),
    "AbortedError": Words(
        "was aborted", "A person or AWS ended its execution before it was complete.", passing=True
    ),
    "NoAnswerYetError": Words(
        "failed: Portcall was updated during the deployment",
        "This deployment began under the previous version of Portcall.",
        passing=True,
    ),
    "MailLimitError": Words(
        "failed: too many emails at once",
        "Many deployments ended at the same time, and Portcall limits its emails per second.",
        passing=True,
    ),
    "NewerPushError": Words(
        "failed: a newer push took too long",
        "This deployment waited for a newer push of the app to go live or fail.",
        passing=True,
    ),
    "ContendedError": Words(
        "failed: too many pushes at once",
        "Many pushes of this app arrived at the same time.",
        passing=True,
    ),
    "ThrottledError": Words(
        "failed: AWS throttled the calls",
        "AWS limits the calls per second of an account. Many deployments ran at the same time.",
        passing=True,
    ),
    "AwsUnavailableError": Words(
        "failed: AWS did not answer",
        "Is AWS down? See https://health.aws.amazon.com/health/status",
        passing=True,
    ),
    "AddressNotReadyError": Words(
        "failed: it got no public IP address",
        "If it happens again, check that the subnets are public.",
        passing=True,
    ),
    "BadEventError": Words("failed: the event is not a push", "Push the image with a tag."),
    "UnsupportedImageError": Words(
        "was refused: the image cannot run on Fargate",
        "Build the image as the reason above describes, then push it.",
    ),
    "BadLabelError": Words(
        "was refused: a label is wrong",
        "Change that LABEL in the Dockerfile, or in the base image that FROM names. Then build and push the "
        "new image.",
    ),
    "FindingsError": Words(
        "was refused: its scan found vulnerabilities",
        "Rebuild it on the newest base image (docker build --pull --no-cache ...), which has most of "
        "the fixes, and push it. Or deploy Portcall with another BlockOnFindings, then deploy this "
        "image again.",
        again=True,
    ),
    "NotScannedError": Words(
        "was refused: it was not scanned",
        "Scan it, then deploy it again. ECR's enhanced scanning supports more kinds of images than "
        "basic scanning. Or accept images without a scan result: update Portcall with "
        "WhenNotScanned=deploy.",
        again=True,
    ),
    "ScanPendingError": Words("failed: its scan did not finish", "ECR takes longer than usual.", passing=True),
    "AwsRefusedError": Words(
        "failed: AWS refused a call",
        "The reason above is AWS's error message. Fix the cause.",
        again=True,
    ),
    "States.Timeout": Words(
        "failed: it took too long",
        "The image may be very large, or AWS may be slow. A smaller image starts faster.",
        passing=True,
    ),
}


def read_error(caught: Caught) -> tuple[str, str]:
    """The name and the message of what the workflow caught: `{"Error": name, "Cause": text or JSON}`."""
    cause = str(caught.get("Cause") or "")
    try:
        document = json.loads(cause)
        message = str(document.get("errorMessage") or cause)
    except (ValueError, AttributeError):
        message = cause
    error = str(caught.get("Error") or "Unknown")
    return error, message or ("A step took too long." if error == "States.Timeout" else "AWS gave no reason.")
