"""What the sweep can do for an app. `domain.sweep` decides, `actions.sweep_acts` does it."""

from dataclasses import dataclass

from deployer.domain.push import Push


@dataclass(frozen=True)
class EndApp:
    """Stop the app for good."""

    reason: str


@dataclass(frozen=True)
class FreeSlot:
    """Give back the slot of an app that is not there, or that is down and no preview."""


@dataclass(frozen=True)
class MoveSlot:
    """Count the app's slot as that of a preview, or of an app that lasts, whichever the app is now."""


@dataclass(frozen=True)
class ListApp:
    """Add the app to the ledger's list of apps: it is missing there."""


@dataclass(frozen=True)
class UnlistApp:
    """Nothing is left of the app but its history."""


@dataclass(frozen=True)
class FinishDeployment:
    """A deployment's execution ended without its outcome or its mail: record and send what is missing."""

    deployment: str


@dataclass(frozen=True)
class NotifyEnded:
    """Mail that the app has ended, which has not gone out."""

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
class ReportSuperseded:
    """Mail that pushes were superseded by what is not live either, if no mail named them."""

    deployments: tuple[str, ...]


@dataclass(frozen=True)
class CloseSuperseded:
    """No mail needs to name these: something newer is live."""

    deployments: tuple[str, ...]


@dataclass(frozen=True)
class StopTask:
    """Stop a task of ours that no deployment owns."""

    task: str


@dataclass(frozen=True)
class NotifyAgain:
    """Mail that the app is down, if that mail has not gone out."""


@dataclass(frozen=True)
class RestartApp:
    """The current task died without an event, or its restart failed; `refused` says that AWS's side did.

    `stop` names the stop that is dealt with.
    """

    stop: str
    refused: bool = False


@dataclass(frozen=True)
class ReportUnwatched:
    """Mail that the app runs on, though no push of it is deployed any more."""


@dataclass(frozen=True)
class MarkWatched:
    """Note that it is watched again."""


@dataclass(frozen=True)
class PointStableUrl:
    """The stable URL does not point where the ledger says: correct it."""


@dataclass(frozen=True)
class DeleteStableUrl:
    """Delete a stable URL that no deployment uses, and none can be about to use."""

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
    """Record where a tag points, '' for nowhere, without a deployment."""

    tag: str
    digest: str


Act = (
    EndApp
    | FreeSlot
    | MoveSlot
    | ListApp
    | UnlistApp
    | FinishDeployment
    | NotifyEnded
    | RetryDeployment
    | CloseDeployments
    | ReportSuperseded
    | CloseSuperseded
    | StopTask
    | NotifyAgain
    | RestartApp
    | ReportUnwatched
    | MarkWatched
    | PointStableUrl
    | DeleteStableUrl
    | ForgetStableUrl
    | DeployPush
    | RecordTag
)
