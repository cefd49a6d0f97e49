"""A push: which app, which image, which deployment."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployer.domain.document import Document
from deployer.domain.errors import BadEventError

if TYPE_CHECKING:
    from deployer.domain.deployment import Deployment

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
FAMILY_LIMIT = 255
# How a family's name spells characters that it may not contain; `_` is first, so that it can be decoded.
SPELLINGS = {"_": "__", ".": "_d", "/": "_s", ":": "_t"}


def app_name(repository: str, tag: str, *, by_tag: bool) -> str:
    """The app of a push; `by_tag` says that each tag is a separate app."""
    return f"{repository}:{tag}" if by_tag else repository


@dataclass(frozen=True)
class Push:
    """One *ECR Image Action* event, reduced to what a deployment needs.

    `deployment` is the event's id, which is also the correlation id, idempotency key and `startedBy`. `time` is
    ISO 8601. `app` is the repository, or `<repository>:<tag>` if each tag is a separate app.
    """

    deployment: str
    time: str
    app: str
    tag: str
    digest: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any], *, by_tag: bool) -> "Push":
        """Read the workflow's document, which is the event plus one key per step.

        The app is the one that the document names or, if it names none yet, the one that follows from `by_tag`.
        Raises BadEventError for events that the EventBridge rule should not have let through.
        """
        detail = event.get("detail") or {}
        repository, tag = str(detail.get("repository-name") or ""), str(detail.get("image-tag") or "")
        push = cls(
            deployment=str(event.get("id") or ""),
            time=str(event.get("time") or ""),
            app=cls.app_in(event) or app_name(repository, tag, by_tag=by_tag and bool(repository)),
            tag=tag,
            digest=str(detail.get("image-digest") or ""),
        )
        if detail.get("action-type") != "PUSH" or detail.get("result") != "SUCCESS":
            raise BadEventError("The event is not a successful push of an image.")
        if not (push.deployment and push.app and push.tag):
            raise BadEventError("The event has no id, no repository or no tag, so there is nothing to deploy.")
        if not DIGEST.fullmatch(push.digest):
            raise BadEventError(f"The event's image digest {push.digest!r} is not a sha256 digest.")
        if push.app not in (repository, f"{repository}:{tag}"):
            raise BadEventError(f"The event names the app {push.app!r}, which is not the app of its image.")
        return push

    @classmethod
    def of(cls, app: str, deployment: "Deployment") -> "Push":
        """The push that a deployment of the ledger is about."""
        return cls(deployment.deployment, deployment.time, app, deployment.tag, deployment.digest)

    @staticmethod
    def app_in(event: Mapping[str, Any]) -> str:
        """The app that AdmitPush, or the caller that started the workflow, put into the document; else ''."""
        return str((event.get("admission") or {}).get("app") or event.get("app") or "")

    def event(self) -> Document:
        """An event for `from_event`, to start the workflow without an event of ECR."""
        return {
            "id": self.deployment,
            "time": self.time,
            "app": self.app,
            "detail": {
                "action-type": "PUSH",
                "result": "SUCCESS",
                "repository-name": self.repository,
                "image-tag": self.tag,
                "image-digest": self.digest,
            },
        }

    @property
    def pushed_at(self) -> int:
        """`time` in UNIX seconds."""
        return int(datetime.fromisoformat(self.time.replace("Z", "+00:00")).timestamp())

    @property
    def repository(self) -> str:
        """The ECR repository; its name contains no `:`."""
        return self.app.partition(":")[0]

    @property
    def other_app(self) -> str:
        """The name that the app has with the other value of Environments."""
        return f"{self.app}:{self.tag}" if self.app == self.repository else self.repository

    def family(self, stack: str) -> str:
        """The task definition family of the app: `<stack>_<app>`, in the characters that ECS allows.

        A stack's name contains no `_`, so one stack's prefix never matches another stack's family.
        """
        spelled = "".join(SPELLINGS.get(character, character) for character in self.app)
        family = f"{stack}_{spelled}"
        if len(family) <= FAMILY_LIMIT:
            return family
        digest = hashlib.sha256(family.encode()).hexdigest()[:16]
        return f"{family[: FAMILY_LIMIT - len(digest) - 1]}-{digest}"


def app_of(task_definition: str, *, stack: str) -> str:
    """The app of a revision's ARN, '' if it belongs to another stack; the inverse of `Push.family`."""
    family = task_definition.rpartition("/")[2].rpartition(":")[0]
    if not family.startswith(f"{stack}_"):
        return ""
    meanings = {spelling: character for character, spelling in SPELLINGS.items()}
    return re.sub("_.", lambda found: meanings.get(found[0], ""), family.removeprefix(f"{stack}_"))
