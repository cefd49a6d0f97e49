"""The verdict on a pushed image, from the ledger's records of its app; None while there is none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from deployer.domain.deployment import (
    DEPLOYED,
    DUPLICATE,
    ENDED,
    FAILED,
    IGNORED,
    RECORDED,
    SAME_IMAGE,
    SUPERSEDED,
    Current,
    Deployment,
)
from deployer.domain.mail import WORKER
from deployer.domain.push import DIGEST
from deployer.domain.text import at

from portcall.core import states
from portcall.core.trouble import Exit

REFERENCE = re.compile(
    r"(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>.+))?",
    re.ASCII,
)
# The outcomes of a deployment whose image another deployment handles.
REFERS_TO_ANOTHER = {DUPLICATE, SAME_IMAGE}


@dataclass(frozen=True)
class Image:
    """A pushed image; `tag` or `digest` may be ''."""

    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> "Image":
        """Read `repo:tag@sha256:...`, `repo@sha256:...` or `repo:tag`, with or without a registry.

        Raises ValueError.
        """
        registry, slash, rest = text.partition("/")
        if slash and ("." in registry or ":" in registry or registry == "localhost"):
            text = rest
        found = REFERENCE.fullmatch(text)
        if not found or not (found["tag"] or found["digest"]):
            raise ValueError("write flask-app:latest@sha256:..., flask-app@sha256:... or flask-app:latest")
        if found["digest"] and not DIGEST.fullmatch(found["digest"]):
            raise ValueError(f"{found['digest']!r} is not a digest: sha256: and 64 digits of 0-9 and a-f")
        return cls(found["repository"], found["tag"] or "", found["digest"] or "")


@dataclass(frozen=True)
class Verdict:
    """How it ended.

    `outcome` is `live`, `failed`, `down`, `stopped`, `superseded`, `recorded`, `ignored`, `ended` or
    `unknown`.
    """

    outcome: str
    code: Exit
    app: str
    said: str
    digest: str = ""
    deployment: str = ""
    url: str = ""
    reason: str = ""
    hint: str = ""
    log: list[str] = field(default_factory=list)
    phases: dict[str, str] = field(default_factory=dict)
    began_at: int = 0
    ended_at: int = 0

    @property
    def seconds(self) -> int:
        """How long the deployment took, 0 if that is not known."""
        return max(0, self.ended_at - self.began_at) if self.began_at else 0

    def document(self) -> dict[str, Any]:
        """The fields of `--json`."""
        return {
            "outcome": self.outcome,
            "exit_code": int(self.code),
            "app": self.app,
            "deployment": self.deployment,
            "digest": self.digest,
            "url": self.url,
            "seconds": self.seconds,
            "said": self.said,
            "reason": self.reason,
            "hint": self.hint,
            "log": self.log,
        }


def last_of(deployments: Sequence[Deployment], digest: str) -> Deployment | None:
    """The last push of a digest, without restarts and pushes that refer to another deployment."""
    return next(
        (
            each
            for each in deployments
            if each.digest == digest and not each.restart and each.outcome not in REFERS_TO_ANOTHER
        ),
        None,
    )


def verdict(
    app: str,
    digest: str,
    current: Current | None,
    deployments: Sequence[Deployment],
    *,
    since: float,
    patient: bool,
) -> Verdict | None:
    """The verdict on a digest. The deployments are the newest first, and were read before the current one.

    A deployment that ended before `since` (UNIX seconds) belongs to an earlier push, and a new one may be about
    to begin. So it counts only if the caller is no longer `patient`.
    """
    last = last_of(deployments, digest)
    if last and last.to_come and not _is_live_before(current, last):
        return None
    if current and current.digest == digest and not current.ended:
        if states.answers(current):
            return _live(app, current, deployments)
        if current.last_stop and not current.gave_up_reason:
            return None
        return _down(app, current) if not patient or current.gave_up_at >= since else None
    if last is None or (patient and max(last.ended_at, last.began_at) < since):
        return None
    return _ended(app, last, current, recent=last.ended_at >= since)


def _is_live_before(current: Current | None, last: Deployment) -> bool:
    """Whether the digest is live already, from an earlier deployment than its last.

    If a deployment in progress is current already, the stable URL may still point elsewhere.
    """
    return bool(
        current
        and current.digest == last.digest
        and current.deployment != last.deployment
        and states.answers(current)
    )


def _live(app: str, current: Current, deployments: Sequence[Deployment]) -> Verdict:
    mine = next((each for each in deployments if each.deployment == current.deployment), None)
    return Verdict(
        "live",
        Exit.YES,
        app,
        f"{app} is live: {current.url or WORKER} "
        f"({states.version(current.tag, current.digest)}, since {current.since})",
        digest=current.digest,
        deployment=current.deployment,
        url=current.url,
        phases=mine.phases if mine else {},
        began_at=mine.began_at if mine else 0,
        # The outcome is written a moment after the version has become current.
        ended_at=(mine.ended_at if mine else 0) or states.seconds_of(current.since),
    )


def _down(app: str, current: Current) -> Verdict:
    stopped = current.gave_up_reason == states.BY_HAND
    outcome = states.STOPPED if stopped else states.DOWN
    return Verdict(
        outcome,
        Exit.NO,
        app,
        f"{app} was live, but is {outcome} now.",
        digest=current.digest,
        deployment=current.deployment,
        reason=states.why_down(current),
        hint=f"Why: portcall show {app}",
    )


def _ended(app: str, last: Deployment, current: Current | None, *, recent: bool) -> Verdict | None:
    """The verdict on a deployment with an outcome whose digest is not current."""
    outcomes = {
        FAILED: ("failed", Exit.NO, f"{app} {last.summary or 'failed'}."),
        SUPERSEDED: ("superseded", Exit.SUPERSEDED, f"A newer push of {app} superseded this one."),
        IGNORED: ("ignored", Exit.NO_SUCH_THING, f"The push to {app} is not an app."),
        ENDED: ("ended", Exit.NO, f"{app} has ended."),
        RECORDED: ("recorded", Exit.NO, f"The push of {app} is recorded but not deployed."),
    }
    if last.outcome == DEPLOYED and current is None:
        outcomes[DEPLOYED] = ("ended", Exit.NO, f"{app} was live, but has ended.")
    elif last.outcome == DEPLOYED and current and current.sequence > last.sequence and recent:
        # It was live and replaced long ago, but a new push of it may not be recorded yet.
        outcomes[DEPLOYED] = ("superseded", Exit.SUPERSEDED, f"{app} was live, and a newer push replaced it.")
    if last.outcome not in outcomes:
        return None
    outcome, code, said = outcomes[last.outcome]
    if outcome in ("failed", "superseded", "recorded"):
        said = f"{said} {_serves(current)}"
    return Verdict(
        outcome,
        code,
        app,
        said,
        digest=last.digest,
        deployment=last.deployment,
        reason=last.reason,
        hint=last.hint,
        log=last.log,
        phases=last.phases,
        began_at=last.began_at,
        ended_at=last.ended_at,
    )


def _serves(current: Current | None) -> str:
    if current is None or not states.answers(current):
        return "No version is running."
    return f"{states.version(current.tag, current.digest)} is running{at(current.url)}"
