"""The sweep's rule for pushes whose event was lost: which of them is deployed, and what is recorded."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

from deployer.domain.acts import Act, DeployPush, RecordTag
from deployer.domain.app_facts import Facts, Image
from deployer.domain.deployment import KnownTag
from deployer.domain.push import Push

# An event that has not arrived after this delay is lost. The sweep makes up for lost events of at most a day.
MAX_EVENT_DELAY_SECONDS = 120
MAX_EVENT_AGE_SECONDS = 24 * 60 * 60


def deploy_missed(facts: Facts) -> Iterator[Act]:
    """Deploy the newest of the tags whose move is missing in the ledger; it supersedes the others."""
    if facts.tags is None or not facts.is_announced:
        return
    tags, lost = facts.tags, []
    for image in facts.images:
        known = tags.get(image.tag)
        if known and known.digest == image.digest and known.as_of < facts.since:
            # From now on, a later move of this tag counts.
            yield RecordTag(image.tag, image.digest)
        if _is_known_or_on_its_way(image, known, facts):
            continue
        serves = facts.current and (facts.current.digest, facts.current.tag) == (image.digest, image.tag)
        if _was_pushed_while_watched(image, known, facts) and not serves:
            lost.append(image)
        elif known:
            yield RecordTag(image.tag, image.digest)
    there = {image.tag for image in facts.images}
    for tag, known in tags.items():
        if tag not in there and known.digest and known.as_of < facts.listed_at:
            yield RecordTag(tag, "")
    if lost:
        newest = max(lost, key=lambda image: image.pushed_at)
        yield from (RecordTag(image.tag, image.digest) for image in lost if image is not newest)
        yield DeployPush(_push(facts, newest, tags.get(newest.tag)))


def _is_known_or_on_its_way(image: Image, known: KnownTag | None, facts: Facts) -> bool:
    """Whether the push is known, or its event may still arrive."""
    if known and (known.digest == image.digest or known.as_of > facts.listed_at):
        return True
    return image.pushed_at > facts.now - MAX_EVENT_DELAY_SECONDS


def _was_pushed_while_watched(image: Image, known: KnownTag | None, facts: Facts) -> bool:
    """Whether the current parameters were in force when it was pushed, so that its event should have arrived.

    A tag that was moved back to an older image has no time of that move. It counts if the ledger saw the tag
    point elsewhere since then.
    """
    if known and known.as_of >= facts.since:
        return True
    # The ledger keeps tags for 90 days. A push that it has forgotten was not lost.
    return image.pushed_at >= max(facts.since, facts.now - MAX_EVENT_AGE_SECONDS)


def _push(facts: Facts, image: Image, known: KnownTag | None) -> Push:
    """The push, at its image's time or, if the tag was moved back to an older image, the earliest possible."""
    moved_back = known is not None and image.pushed_at <= known.as_of
    pushed_at = max(image.pushed_at, facts.previous) if moved_back else image.pushed_at
    key = f"{facts.app}:{image.tag}@{image.digest}#{pushed_at}"
    at = datetime.fromtimestamp(pushed_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    name = "sweep-" + hashlib.sha256(key.encode()).hexdigest()[:40]
    return Push(name, at, facts.app, image.tag, image.digest)
