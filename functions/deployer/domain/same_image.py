"""Several tags of one image are one version: which deployment handles an image, and for which tags."""

import dataclasses
from dataclasses import dataclass, field

from deployer.domain.deployment import Current, Deployment
from deployer.domain.push import Push

# Tags that are pushed within this time are one push of one version, whatever its outcome.
BURST_SECONDS = 60
# How many tags of an image are kept; after that the list starts again.
MAX_TAGS = 100
MAX_NAMED = 10


@dataclass(frozen=True)
class KnownImage:
    """An image of an app, and the deployment that handles it, pushed at `time` (ISO 8601).

    `tags` has the last deployment for each of its tags. `also` has the tags that were only recorded since this
    deployment handles it. `version` counts the changes of the item.
    """

    deployment: str
    time: str
    tags: dict[str, str] = field(default_factory=dict)
    also: list[str] = field(default_factory=list)
    version: int = 0


def handled_by(
    push: Push, known: KnownImage | None, first: Deployment | None, current: Current | None, before: str = ""
) -> str:
    """The deployment that handles this push's image under another tag; '' if this push must handle it.

    `first` is the deployment that `known` names, `before` is the previous attempt, '' if there was none.
    A second push of the same tag with the same image is a request to deploy it again.
    """
    ours = {push.deployment, before} - {""}
    if known:
        brought = known.tags.get(push.tag, "")
        if known.deployment in ours or (brought and brought not in ours):
            return ""
        if brought:
            return known.deployment
    serves = current is not None and not current.gave_up_reason and not current.ended
    if current and serves and current.digest == push.digest and current.tag != push.tag:
        return current.deployment
    if known and first and (first.to_come or abs(push.pushed_at - first.pushed_at) <= BURST_SECONDS):
        return known.deployment
    return ""


def handled_from_now_on(push: Push, known: KnownImage | None) -> KnownImage:
    """The new record of the image if this push handles it."""
    tags = _with(push, known)
    # A retry of the same push keeps the tags of the attempt before.
    continues = known and known.tags.get(push.tag) and known.time == push.time
    also = known.also if known and continues else []
    return KnownImage(push.deployment, push.time, tags, also, known.version if known else 0)


def noted_for(push: Push, known: KnownImage) -> KnownImage:
    """The new record of the image if this push is only another tag of it."""
    also = known.also if push.tag in known.also else [*known.also, push.tag]
    return dataclasses.replace(known, tags=_with(push, known), also=also[:MAX_TAGS])


def _with(push: Push, known: KnownImage | None) -> dict[str, str]:
    before = known.tags if known and len(known.tags) < MAX_TAGS else {}
    return {**before, push.tag: push.deployment}


def note(also: list[str]) -> list[str]:
    """The mail's lines about further tags."""
    if not also:
        return []
    named = sorted(also)[:MAX_NAMED]
    if len(also) > MAX_NAMED:
        named.append(f"{len(also) - MAX_NAMED} more")
    *most, last = named
    return [f"It was also pushed as {', '.join(most)}{' and ' if most else ''}{last}."]
