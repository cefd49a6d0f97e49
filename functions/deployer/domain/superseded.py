"""Pushes that were superseded before they were live: which mail names them, and in which words."""

import re
from collections.abc import Mapping, Sequence

from deployer.domain.deployment import SAME_IMAGE, SUPERSEDED, Current, Deployment, KnownTag
from deployer.domain.push import Push

MAX_NAMED = 10
# For a push whose tag is gone. Often it was not deleted by the person who waits for the URL.
TAG_WAS_DELETED = "Its tag was deleted before it was live."
NEWER_PUSH = "A newer push of the app was admitted."
# Signatures and similar artifacts, named after their image by cosign and by
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
# If one is superseded before it is read, nothing else shows that it is not an app.
REFERRER = re.compile(r"sha256-[0-9a-f]{64}(\.\w+)?")


def mailed_with(unmailed: Sequence[Deployment], push: Push, sequence: int) -> list[Deployment]:
    """The pushes that the mail about a push with this number names, the newest first.

    The mail about a still newer push names the pushes that that one superseded.
    """
    return [
        each
        for each in reversed(unmailed)
        if each.digest != push.digest
        and not REFERRER.fullmatch(each.tag)
        and (each.outcome == SAME_IMAGE or _was_superseded(each, push, sequence))
    ]


def _was_superseded(each: Deployment, push: Push, sequence: int) -> bool:
    # The tag itself shows the order of its pushes.
    return each.outcome == SUPERSEDED and (each.sequence < sequence or each.tag == push.tag)


def will_be_superseded(open_ones: Sequence[Deployment], push: Push, sequence: int) -> list[Deployment]:
    """The pushes in progress that cannot go live any more once the push with this number is live."""
    return [
        each
        for each in reversed(open_ones)
        if each.to_come
        and not each.restart
        and each.digest != push.digest
        and not REFERRER.fullmatch(each.tag)
        and 0 < each.sequence < sequence
    ]


def needs_a_mail(each: Deployment, current: Current | None, tags: Mapping[str, KnownTag]) -> bool:
    """Whether a push that no mail named must be mailed: nothing newer is live."""
    if each.outcome != SUPERSEDED or REFERRER.fullmatch(each.tag):
        return False
    if current is None:
        return True
    points_to = tags.get(each.tag)
    # A record from before this push does not say where the tag points now: it may have been deleted.
    is_known = points_to is not None and points_to.as_of >= each.pushed_at
    tag_points_to_current = is_known and tags[each.tag].digest == current.digest
    return not (current.sequence > each.sequence or current.digest == each.digest or tag_points_to_current)


def note(others: Sequence[Deployment]) -> list[str]:
    """The lines in the mail about the newer push; `others` are from `mailed_with` and `will_be_superseded`."""
    noted = [each for each in others if each.outcome == SAME_IMAGE]
    earlier = [each for each in others if each not in noted]
    said = []
    if len(earlier) == 1:
        said.append("This push superseded an earlier one, which is not live:")
    elif earlier:
        said.append(f"This push superseded {len(earlier)} earlier ones, which are not live:")
    said += named(earlier)
    if noted:
        said.append(
            "An image that was deployed before was pushed again under another tag. That starts no deployment:"
        )
    return said + named(noted)


def named(pushes: Sequence[Deployment], *, why: bool = False) -> list[str]:
    """A line for each push, up to a limit, with the reason if wanted."""
    lines = [
        f"    {each.tag} ({each.digest}), pushed at {each.time}" + (f": {each.reason}" if why else "")
        for each in pushes[:MAX_NAMED]
    ]
    return lines + ([f"    and {len(pushes) - MAX_NAMED} more"] if len(pushes) > MAX_NAMED else [])
