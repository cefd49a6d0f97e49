"""A push: which app, which image, which deployment."""

import re
from dataclasses import dataclass
from typing import Any

from deployer.domain.errors import BadEventError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Push:
    """One *ECR Image Action* event, reduced to what a deployment needs.

    `deployment` is the event's id: correlation id, idempotency key and `startedBy` at once. `time` is ISO 8601.
    """

    deployment: str
    time: str
    app: str
    tag: str
    digest: str

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> "Push":
        """Read the workflow's document, which begins as the event itself.

        Raises BadEventError for whatever the rule should have kept out.
        """
        detail = event.get("detail") or {}
        push = cls(
            deployment=str(event.get("id") or ""),
            time=str(event.get("time") or ""),
            app=str(detail.get("repository-name") or ""),
            tag=str(detail.get("image-tag") or ""),
            digest=str(detail.get("image-digest") or ""),
        )
        if detail.get("action-type") != "PUSH" or detail.get("result") != "SUCCESS":
            raise BadEventError("The event is not a successful push of an image.")
        if not (push.deployment and push.app and push.tag):
            raise BadEventError(
                "The event names no id, no repository or no tag, so there is nothing to deploy."
            )
        if not DIGEST.fullmatch(push.digest):
            raise BadEventError(f"The event's image digest {push.digest!r} is not a sha256 digest.")
        return push

    def event(self) -> dict[str, Any]:
        """The event that `from_event` reads: what starts the workflow when no event of AWS does."""
        return {
            "id": self.deployment,
            "time": self.time,
            "detail": {
                "action-type": "PUSH",
                "result": "SUCCESS",
                "repository-name": self.app,
                "image-tag": self.tag,
                "image-digest": self.digest,
            },
        }

    def image(self, registry: str) -> str:
        """`<registry>/<repository>@<digest>`: never a tag, which may point elsewhere a moment later."""
        return f"{registry}/{self.app}@{self.digest}"

    def family(self, stack: str) -> str:
        """The task definition family of the app: `<stack>_<app>`, in the characters that ECS allows.

        No stack's name holds `_`, so no stack's prefix begins another's. Repository names hold single `.`,
        `-`, `_` and `/`; doubling keeps two apps from sharing a family.
        """
        return f"{stack}_{self.app.replace('/', '--').replace('.', '__')}"
