"""An app's deployments, as the ledger records them, and the end of their executions."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypedDict

from deployer.domain.document import Image, Restart
from deployer.domain.endpoint import NOWHERE, StableUrl

# The outcomes of a push.
DEPLOYED: Final = "deployed"
FAILED: Final = "failed"
SUPERSEDED: Final = "superseded"
IGNORED: Final = "ignored"
ENDED: Final = "ended"
# AWS's side failed, and the push is deployed again; the next attempt has its own outcome.
RETRIED: Final = "retried"
# Another deployment handles the same push.
DUPLICATE: Final = "duplicate"
# Another deployment handles this image, which was pushed under another tag; its outcome counts for both.
SAME_IMAGE: Final = "same image"
# The newest push, but not deployed: the app is stopped, or this version was rolled back.
RECORDED: Final = "recorded"
NOT_AN_APP: Final = "The push is not an app: it is a signature, a chart or a similar artifact."
Outcome = Literal[
    "deployed", "failed", "superseded", "ignored", "ended", "retried", "duplicate", "same image", "recorded"
]


class OutcomeFacts(TypedDict, total=False):
    """What an outcome has besides its name, as the ledger and the event for other programs have it."""

    reason: str
    error: str
    # Those of the failure's mail, and the end of the app's log.
    summary: str
    hint: str
    log: list[str]
    # Name -> seconds.
    phases: dict[str, str]
    # ARNs.
    revision: str
    task: str
    url: str
    direct_url: str
    # A line of the mail, and why a version that went live has stopped since.
    note: str
    stopped: str
    # The deployment that handles the image, if this is another tag of it.
    same_as: str
    restart: Restart


# `gave_up_reason` of an app whose task somebody stopped in ECS.
BY_HAND = "It was stopped by hand."
# How long a function that gave an app up may take to send the mail about it; the sweep sends it after that.
NOTIFY_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Pin:
    """A rollback pins the app to a version until a new one is live; `at` is in UNIX seconds.

    `bad` are the digests that are not deployed if they are pushed again. `by` is the name that the operator
    gave, '' if none.
    """

    digest: str
    bad: list[str] = field(default_factory=list)
    reason: str = ""
    by: str = ""
    at: int = 0


@dataclass(frozen=True)
class Stop:
    """An operator stopped the app: it is down, and pushes are only recorded, until an operator starts it."""

    reason: str = ""
    by: str = ""
    at: int = 0


@dataclass(frozen=True)
class Current:
    """The deployment that is current. Times that are numbers are UNIX seconds, 0 for never."""

    deployment: str
    # Orders an app's deployments: a larger number was pushed later.
    sequence: int
    task: str
    # The URL in the mails: the stable one if there is one, else `direct_url`.
    url: str
    # The image, its tag, the revision of the task definition, and since when this deployment is current (ISO
    # 8601).
    digest: str
    tag: str
    revision: str
    since: str
    # The deployment that it restarts, '' if it is not a restart.
    origin: str = ""
    # The task's own URL.
    direct_url: str = ""
    # The last stable URL. If `url` is different, the app has lost its stable URL, and the sweep deletes it.
    last_stable_url: StableUrl | None = None
    # What ReadImage found; a restart uses it.
    image: Image = field(default_factory=Image)
    # The digest that was current before.
    previous: str = ""
    # Tasks of earlier deployments that are not stopped yet.
    previous_tasks: list[str] = field(default_factory=list)
    # The last stop that was handled, its reason, and when its restart was started (ISO 8601).
    last_stop: str = ""
    reason: str = ""
    restarted_at: str = ""
    # The tasks whose stops were handled, and when the app crashed recently.
    handled_stops: list[str] = field(default_factory=list)
    crashes: list[int] = field(default_factory=list)
    # Restarts since the last stop, and how many of them failed on AWS's side.
    attempts: int = 0
    refusals: int = 0
    # Why Portcall gave up on the app, when, when a function last began to mail that, and when it was mailed.
    gave_up_reason: str = ""
    gave_up_at: int = 0
    mailing_since: int = 0
    notified_at: int = 0
    # When the app will end, and whether it is being ended.
    until: int = 0
    ended: bool = False
    # An operator's rollback or stop, which holds pushes back.
    pin: Pin | None = None
    stop: Stop | None = None
    # When it was mailed that the app is no longer watched.
    unwatched_at: int = 0
    # The number of changes of the item.
    version: int = 0

    @property
    def ports(self) -> frozenset[int]:
        """The ports that its image names."""
        return frozenset(self.image.get("ports", ()))

    @property
    def stable_url(self) -> StableUrl | None:
        """The app's stable URL, None if it has none or is about to lose it."""
        return self.last_stable_url if self.last_stable_url and self.last_stable_url.url == self.url else None

    @property
    def stopped(self) -> bool:
        """Whether its task is known to have stopped: it is being restarted, or down."""
        return bool(self.last_stop or self.gave_up_reason)

    @property
    def is_worker(self) -> bool:
        """Whether it listens on no port, and so has no URL, though it runs."""
        return not self.url

    @property
    def target(self) -> str:
        """Where its stable URL must point: to its task, or to nothing if the task has stopped."""
        return NOWHERE if self.stopped else self.direct_url

    def runs(self, deployment: str) -> bool:
        """Whether this is the given deployment or a restart of it."""
        return deployment in (self.deployment, self.origin)


@dataclass(frozen=True)
class Deployment:
    """One push or restart, as the ledger has it; `outcome` is '' while there is none.

    For a retry, `retry` is `{"of": the deployment before, "attempt": number, "reason": why that failed}`.
    `began_at` and `ended_at` are in UNIX seconds, 0 if unknown; `phases` are name -> seconds, in no order.
    `summary` and `hint` are those of the failure's mail, `log` is the end of the app's log.
    `same_as` is the deployment that handles the image, if this is another tag of it. `asked` is an operator's
    request, {} for a push: `{"action", "by", "reason", "at"}`, for a rollback also the digest `from` which it
    goes back.
    """

    deployment: str
    time: str
    tag: str
    digest: str
    execution: str = ""
    sequence: int = 0
    restart: dict[str, Any] = field(default_factory=dict)
    retry: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    outcome: Outcome | Literal[""] = ""
    reason: str = ""
    error: str = ""
    revision: str = ""
    task: str = ""
    url: str = ""
    began_at: int = 0
    ended_at: int = 0
    phases: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    hint: str = ""
    log: list[str] = field(default_factory=list)
    notified_at: int = 0
    same_as: str = ""

    @property
    def pushed_at(self) -> int:
        """`time` in UNIX seconds."""
        return int(datetime.fromisoformat(self.time.replace("Z", "+00:00")).timestamp())

    @property
    def order(self) -> tuple[str, int, str, str]:
        """Sorts an app's deployments from old to new.

        ECR's times have whole seconds, so of two pushes in one second the later one has the higher number.
        """
        return self.time[:19], self.sequence, self.time.rstrip("Z"), self.deployment

    @property
    def to_come(self) -> bool:
        """Whether it is in progress, or about to be retried."""
        return not self.outcome or (self.outcome == RETRIED and not self.notified_at)


@dataclass(frozen=True)
class KnownTag:
    """The digest to which a tag pointed at `as_of` (UNIX seconds), and the deployment that handles that push.

    The digest is '' if the tag did not exist.
    """

    digest: str
    as_of: int
    deployment: str


@dataclass(frozen=True)
class Ending:
    """How an execution ended: its status, e.g. `ABORTED`, the cause, and when, in UNIX seconds."""

    status: str
    error: str = ""
    cause: str = ""
    at: float = 0.0
