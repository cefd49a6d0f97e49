"""What an operator may ask for, and the command that asks for it."""

import json
import re
from dataclasses import dataclass
from typing import Any

ACTIONS = ("deploy",)
REPOSITORY = re.compile(r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class NotPossible(ValueError):
    """What is asked for cannot be done; the message says why, to whoever asked."""


@dataclass(frozen=True)
class Operation:
    """`app` is the repository or, where each tag is an app, `<repository>:<tag>`; `tag` may be ''."""

    action: str
    app: str
    tag: str

    @classmethod
    def from_event(cls, event: Any, *, by_tag: bool) -> "Operation":
        """Read `{"action": "deploy", "app": "flask-app", "tag": "latest"}`; the tag may stand in the app too.

        Raises NotPossible.
        """
        if not isinstance(event, dict) or not all(isinstance(value, str) for value in event.values()):
            raise NotPossible(
                'The payload must be like {"action": "deploy", "app": "flask-app", "tag": "latest"}.'
            )
        action = event.get("action", "")
        if action not in ACTIONS:
            raise NotPossible(f"The action must be one of: {', '.join(ACTIONS)}.")
        repository, _, tag = event.get("app", "").partition(":")
        tag = tag or event.get("tag", "")
        if not REPOSITORY.fullmatch(repository):
            raise NotPossible("The app must be named, e.g. flask-app.")
        if tag and not TAG.fullmatch(tag):
            raise NotPossible("That is not a tag.")
        if by_tag and not tag:
            raise NotPossible("Each tag is an app of its own here: name the tag, too.")
        return cls(action, f"{repository}:{tag}" if by_tag else repository, tag)


def deploy_command(*, function: str, region: str, app: str, tag: str) -> str:
    """The command that deploys once more what a tag points to; no name holds what a shell would read."""
    payload = json.dumps({"action": "deploy", "app": app, "tag": tag}, separators=(",", ":"))
    return (
        f"aws lambda invoke --function-name {function} --region {region} "
        f"--cli-binary-format raw-in-base64-out --payload '{payload}' /dev/stdout"
    )
