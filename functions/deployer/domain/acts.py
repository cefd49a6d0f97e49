"""What the sweep can do for an app. `domain.sweep` decides, `actions.sweep_acts` does it."""

from dataclasses import dataclass

from deployer.domain.push import Push


@dataclass(frozen=True)
class EndApp:
    """Stop the app for good."""

    reason: str


@dataclass(frozen=True)
class FreeSlot:
    """Free the slot of an app that does not exist, or that is down and not a preview."""


@dataclass(frozen=True)
class MoveSlot:
    """Move the app's slot to the previews or to the other apps, whichever the app is now."""


@dataclass(frozen=True)
class ListApp:
    """Add the app to the ledger's list of apps: it is missing there."""


@dataclass(frozen=True)
class UnlistApp:
    """Remove the app from the list: only its history is left."""


@dataclass(frozen=True)
class FinishDeployment:
    """A deployment's execution ended without its outcome or its mail: record and send what is missing."""

    deployment: str


@dataclass(frozen=True)
class NotifyEnded:
    """Mail that the app has ended; that mail was not sent."""

    deployment: str


@dataclass(frozen=True)
class RetryDeployment:
    """AWS's side failed: deploy the same push once more."""

    deployment: str


@dataclass(frozen=True)
class CloseDeployments:
    """Take these off the list of open deployments: their mails are out."""

    deployments: tuple[str, ...]


@dataclass(frozen=True)
class ForgetUnclaimed:
    """Take these pushes, each with its time, off that list: AdmitPush died before it recorded them."""

    pushes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReportSuperseded:
    """Mail that pushes were superseded by one that is not live either, if no mail named them."""

    deployments: tuple[str, ...]


@dataclass(frozen=True)
class CloseSuperseded:
    """No mail needs to name these: something newer is live."""

    deployments: tuple[str, ...]


@dataclass(frozen=True)
class StopTask:
    """Stop a task of this stack that no deployment owns."""

    task: str


@dataclass(frozen=True)
class NotifyAgain:
    """Mail that the app is down, if that mail was not sent."""


@dataclass(frozen=True)
class RestartApp:
    """Restart the app: its current task stopped without an event, or its restart failed.

    `stop` names the stop that is handled; `refused` says that the restart failed on AWS's side.
    """

    stop: str
    refused: bool = False


@dataclass(frozen=True)
class ReportUnwatched:
    """Mail that the app keeps running although its pushes are no longer deployed."""


@dataclass(frozen=True)
class MarkWatched:
    """Record that it is watched again."""


@dataclass(frozen=True)
class PointStableUrl:
    """Point the stable URL where the ledger says."""


@dataclass(frozen=True)
class DeleteStableUrl:
    """Delete a stable URL that no deployment uses or is about to use."""

    api: str


@dataclass(frozen=True)
class ForgetStableUrl:
    """The app's old stable URL is deleted: remove it from the ledger."""


@dataclass(frozen=True)
class DeployPush:
    """Deploy a push whose event was lost."""

    push: Push


@dataclass(frozen=True)
class RecordTag:
    """Record the digest to which a tag points, '' if the tag is gone, without a deployment."""

    tag: str
    digest: str


# These only change the ledger, and nobody needs to know.
LedgerAct = (
    MoveSlot
    | ListApp
    | UnlistApp
    | CloseDeployments
    | CloseSuperseded
    | MarkWatched
    | ForgetStableUrl
    | RecordTag
)
Act = (
    LedgerAct
    | EndApp
    | FreeSlot
    | FinishDeployment
    | NotifyEnded
    | RetryDeployment
    | ForgetUnclaimed
    | ReportSuperseded
    | StopTask
    | NotifyAgain
    | RestartApp
    | ReportUnwatched
    | PointStableUrl
    | DeleteStableUrl
    | DeployPush
)
