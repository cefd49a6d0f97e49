"""What the ledger knows of an app's deployments, and Step Functions of their executions."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from deployer.domain.document import Image
from deployer.domain.endpoint import NOWHERE, StableUrl

# What becomes of a push.
DEPLOYED: Final = "deployed"
FAILED: Final = "failed"
SUPERSEDED: Final = "superseded"
IGNORED: Final = "ignored"
ENDED: Final = "ended"
# AWS's side failed, and the push is deployed once more; the next attempt has an outcome of its own.
RETRIED: Final = "retried"
# Another deployment deals with this very push.
DUPLICATE: Final = "duplicate"
# Another deployment deals with this image, which was pushed under another tag: what comes of it comes of both.
SAME_IMAGE: Final = "same image"
# It is the newest push, and not deployed: the app is stopped, or this version was rolled back.
RECORDED: Final = "recorded"
Outcome = Literal[
    "deployed", "failed", "superseded", "ignored", "ended", "retried", "duplicate", "same image", "recorded"
]


@dataclass(frozen=True)
class Pin:
    """A rollback's: the version that stays until a new one is live; `at` is in UNIX seconds.

    `bad` are the digests that are not deployed when they are pushed again. `by` is who asked for it, as they
    said themselves, '' if they did not.
    """

    digest: str
    bad: list[str] = field(default_factory=list)
    reason: str = ""
    by: str = ""
    at: int = 0


@dataclass(frozen=True)
class Stop:
    """Somebody stopped the app: it is down, and no push of it is deployed, until somebody starts it."""

    reason: str = ""
    by: str = ""
    at: int = 0


@dataclass(frozen=True)
class Current:
    """The deployment of an app that serves. Numbers of times are UNIX seconds, 0 for never."""

    deployment: str
    # Orders an app's deployments: a larger number was pushed later.
    sequence: int
    task: str
    # The URL in the mails: that of `last_stable_url`, or else `direct_url`.
    url: str
    # The image, its tag, the revision of the task definition, and since when it is current (ISO 8601).
    digest: str
    tag: str
    revision: str
    since: str
    # The deployment that it restarts, '' if it is not a restart.
    origin: str = ""
    # The task's own URL.
    direct_url: str = ""
    # The last stable URL. If `url` is another one, the app has lost it, and the sweep deletes it.
    last_stable_url: StableUrl | None = None
    # What ReadImage found in the image, from which a restart starts.
    image: Image = field(default_factory=Image)
    # The digest that ran before it.
    previous: str = ""
    # The tasks of earlier deployments that have yet to be stopped.
    previous_tasks: list[str] = field(default_factory=list)
    # The last stop that was handled, its reason, and when its restart was started (ISO 8601).
    last_stop: str = ""
    reason: str = ""
    restarted_at: str = ""
    # The tasks whose stops were handled, and when the app crashed recently.
    handled_stops: list[str] = field(default_factory=list)
    crashes: list[int] = field(default_factory=list)
    # Restarts since the task stopped, and how many of them failed on AWS's side.
    attempts: int = 0
    refusals: int = 0
    # Why it is not started again, since when, since when somebody has been about to mail that once more, and
    # when it was mailed.
    gave_up_reason: str = ""
    gave_up_at: int = 0
    mailing_since: int = 0
    notified_at: int = 0
    # When the app ends, and that it does.
    until: int = 0
    ended: bool = False
    # What somebody asked for that pushes respect.
    pin: Pin | None = None
    stop: Stop | None = None
    # When it was mailed that the app is not watched any more.
    unwatched_at: int = 0
    # Counts the changes of the item.
    version: int = 0

    @property
    def ports(self) -> frozenset[int]:
        """Those that its image names."""
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
    def target(self) -> str:
        """Where its stable URL has to point: to its task, or to nothing if that has stopped."""
        return NOWHERE if self.stopped else self.direct_url

    def runs(self, deployment: str) -> bool:
        """Whether it is that deployment, or a restart of it."""
        return deployment in (self.deployment, self.origin)


@dataclass(frozen=True)
class Deployment:
    """One push or restart, as the ledger has it; `outcome` is '' while there is none.

    `retry` is, for a further attempt, `{"of": the deployment before, "attempt": number, "reason": why that
    failed}`. `began_at` and `ended_at` are in UNIX seconds, 0 if that is not known; `phases` are
    name -> seconds, in no order. `summary` and `hint` are those of the mail of a failure, `log` is the end of
    the app's log.
    `same_as` is, for another tag of an image, the deployment that deals with that. `asked` is, where it is no
    push, what somebody asked for: `{"action", "by", "reason", "at"}`, of a rollback also the digest `from`
    which it goes back.
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
    def to_come(self) -> bool:
        """Whether it is under way, or about to be tried again."""
        return not self.outcome or (self.outcome == RETRIED and not self.notified_at)


@dataclass(frozen=True)
class KnownTag:
    """To which digest a tag pointed at `as_of` (UNIX seconds), and which deployment deals with that push.

    The digest is '' if there was no such tag.
    """

    digest: str
    as_of: int
    deployment: str


@dataclass(frozen=True)
class Ending:
    """How an execution ended: e.g. `ABORTED`, what was said of it, and when, in UNIX seconds."""

    status: str
    error: str = ""
    cause: str = ""
    at: float = 0.0
