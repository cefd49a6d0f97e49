"""What the sweep knows of one app."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deployer.domain.deployment import Current, Deployment, Ending, KnownTag
from deployer.domain.task import Task


@dataclass(frozen=True)
class Image:
    """A tagged image of a watched repository; `pushed_at` is in UNIX seconds."""

    pushed_at: int
    digest: str
    tag: str


@dataclass(frozen=True)
class Facts:
    """What is known of one app.

    The facts are gathered in the order of the fields, and that order matters: open deployments are read before
    the current one. So a deployment that is no longer open has made its task current by then, or never will.
    """

    app: str
    # UNIX seconds.
    now: float
    is_preview: bool = False
    # Whether the ledger lists it among the apps.
    listed: bool = True
    # Its running tasks: ARN -> the deployment that started it; None if ECS could not list them.
    tasks: Mapping[str, str] | None = field(default_factory=dict)
    # Its images, as the registry listed them.
    images: Sequence[Image] = ()
    # The HTTP APIs that are or were its stable URL: id -> target. None if unknown.
    stable_urls: Mapping[str, str] | None = field(default_factory=dict)
    has_slot: bool = False
    # Whether its slot is that of a preview although it is not one, or the other way round: LastingTags was
    # changed.
    slot_of_other_kind: bool = False
    # How many deployments of it the ledger has recorded.
    noted: int = 0
    # Deployments without an outcome, or whose outcome may not have been mailed, the oldest first.
    open: Sequence[Deployment] = ()
    # Time and name of open pushes that were not claimed, the oldest first.
    unclaimed: Sequence[tuple[str, str]] = ()
    # How the executions of open deployments ended; those that still run are missing.
    endings: Mapping[str, Ending] = field(default_factory=dict)
    # Superseded pushes that no mail has named; the oldest first.
    unmailed: Sequence[Deployment] = ()
    current: Current | None = None
    # For a preview: whether its tag is gone, read after `current`.
    tag_deleted: bool = False
    # The current task as ECS describes it, if it is not in `tasks`.
    task: Task | None = None
    # Whether a restart is in progress, and the ledger's record of the restart after the last stop; both read
    # after `current`.
    restarting: bool = False
    restart: Deployment | None = None
    # Since when the current parameters have been in force, when the images were listed, and when the previous
    # sweep began (UNIX seconds).
    since: int = 0
    listed_at: int = 0
    previous: int = 0
    # Whether ECR sends events for pushes to its repository. It sends none for replication and pull-through
    # caches, whose images nobody pushed to have them deployed.
    is_announced: bool = True
    # Whether the current parameters watch its pushes, and its repository, so that it may be restarted; the app
    # that a push of its tag would deploy instead, and that app's current deployment.
    watched: bool = True
    can_restart: bool = True
    replaced_by: str = ""
    successor: Current | None = None
    # What the ledger knows of its tags; None if its images could not be listed, or are not watched.
    tags: Mapping[str, KnownTag] | None = None

    @property
    def under_way(self) -> set[str]:
        """The deployments that have no outcome yet."""
        return {each.deployment for each in self.open if not each.outcome}

    @property
    def to_come(self) -> bool:
        """Whether a deployment is in progress, or about to be retried."""
        return any(each.to_come for each in self.open)
