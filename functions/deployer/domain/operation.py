"""An operator's request, and the AWS CLI command that sends it."""

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, cast, get_args

from deployer.domain.text import printable

DEPLOY: Final = "deploy"
ROLLBACK: Final = "rollback"
RESUME: Final = "resume"
RESTART: Final = "restart"
STOP: Final = "stop"
START: Final = "start"
END: Final = "end"
FOLLOW: Final = "follow"
# Not about an app: a test email to all subscribers.
NOTIFY: Final = "notify"
Action = Literal["deploy", "rollback", "resume", "restart", "stop", "start", "end", "follow", "notify"]
ACTIONS: tuple[Action, ...] = get_args(Action)
REPOSITORY = re.compile(r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
ID = re.compile(r"[0-9a-f]{8,40}")
MAX_REASON, MAX_NAME = 500, 500


class NotPossible(ValueError):
    """The request cannot be carried out; the message says why, for the caller."""


class NoSuchThing(NotPossible):
    """The request names an app, a deployment or an image that does not exist."""


@dataclass(frozen=True)
class Operation:
    """`app` is the repository or, where each tag is an app, `<repository>:<tag>`; `tag` may be ''.

    NOTIFY is about no app: both are ''.
    """

    action: Action
    app: str
    tag: str
    # The app as the caller named it: an app keeps its old name after a change of Environments.
    named: str = ""
    # The version for a rollback, or the deployment to follow; '' for none.
    to: str = ""
    # Why, and the name that the caller gave, which nobody has checked.
    reason: str = ""
    by: str = ""
    # The request's id, so that it may be sent twice; '' if it is sent once.
    id: str = ""
    # The app's name again, as a confirmation to end an app that is not a preview.
    confirm: str = ""
    # Report what would be done, and do nothing.
    dry_run: bool = False

    @classmethod
    def from_event(cls, event: Any, *, by_tag: bool) -> "Operation":
        """Read `{"action": "deploy", "app": "flask-app", "tag": "latest"}`; `app` may include the tag.

        Raises NotPossible.
        """
        if not isinstance(event, dict) or not all(isinstance(value, str) for value in event.values()):
            raise NotPossible(
                'The payload must be like {"action": "deploy", "app": "flask-app", "tag": "latest"}.'
            )
        action = cast(Action, event.get("action", ""))
        if action not in ACTIONS:
            raise NotPossible(f"The action must be one of: {', '.join(ACTIONS)}.")
        repository, tag = ("", "") if action == NOTIFY else _named(event, by_tag=by_tag)
        request = event.get("id", "")
        if request and not ID.fullmatch(request):
            raise NotPossible("The id must have 8 to 40 digits of 0-9 and a-f.")
        for name, limit in (("reason", MAX_REASON), ("by", MAX_NAME)):
            if len(event.get(name, "")) > limit:
                raise NotPossible(f"`{name}` may have {limit} characters, and has {len(event[name])}.")
        return cls(
            action,
            f"{repository}:{tag}" if by_tag and repository else repository,
            tag,
            named=f"{repository}:{tag}" if tag else repository,
            to=event.get("to", ""),
            reason=event.get("reason", ""),
            by=event.get("by", ""),
            id=request,
            confirm=event.get("confirm", ""),
            dry_run=bool(event.get("dry_run")),
        )

    def named_anew(self, request: str) -> "Operation":
        """The same, with a new id if it has none."""
        return self if self.id else replace(self, id=request)


def _named(event: dict[str, str], *, by_tag: bool) -> tuple[str, str]:
    """The repository and the tag, '' if none is named. Raises NotPossible."""
    repository, _, tag = event.get("app", "").partition(":")
    tag = tag or event.get("tag", "")
    if not REPOSITORY.fullmatch(repository):
        raise NotPossible("The app must be named, e.g. flask-app.")
    if tag and not TAG.fullmatch(tag):
        raise NotPossible(f"{printable(tag)} is not a valid tag.")
    if by_tag and not tag:
        raise NotPossible(
            "Each tag is a separate app here (Environments=tag), so name the tag too, e.g. flask-app:latest."
        )
    return repository, tag


def command(action: Action, *, function: str, region: str, app: str, tag: str = "") -> str:
    """The command that requests an action. Names contain no characters that are special to a shell."""
    words = {"action": action, "app": app, **({"tag": tag} if tag else {})}
    payload = json.dumps(words, separators=(",", ":"))
    return (
        f"aws lambda invoke --function-name {function} --region {region} "
        f"--cli-binary-format raw-in-base64-out --payload '{payload}' /dev/stdout"
    )
