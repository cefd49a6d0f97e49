"""The versions that a rollback can go back to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deployer.domain.deployment import DEPLOYED, Current, Deployment
from deployer.domain.operation import NoSuchThing, NotPossible

PREVIOUS = "previous"
DIGEST = re.compile(r"@?(?:sha256:)?([0-9a-f]{4,64})|@(?:sha256:)?([0-9a-f]{1,64})")
MAX_LISTED = 10


@dataclass(frozen=True)
class Version:
    """An image that was live, its tag at that time, and its deployment (or '')."""

    digest: str
    tag: str
    deployment: str = ""


def that_were_live(current: Current, deployments: Sequence[Deployment]) -> list[Version]:
    """Each earlier version that was live, the last one first.

    The ledger keeps deployments for 90 days, but it always knows the version before the current one.
    """
    lived = [each for each in deployments if each.outcome == DEPLOYED and not each.restart]
    found = {
        each.digest: Version(each.digest, each.tag, each.deployment)
        for each in sorted(lived, key=lambda each: (each.ended_at, each.sequence))
    }
    latest = dict(reversed(found.items()))
    if current.previous:
        before = latest.pop(current.previous, Version(current.previous, current.tag))
        latest = {before.digest: before, **latest}
    latest.pop(current.digest, None)
    return list(latest.values())


def choose(to: str, app: str, current: Current, deployments: Sequence[Deployment]) -> Version:
    """The version whose digest or deployment begins with `to`; '' means the last other version.

    A version that was rolled back can only be chosen by name. Raises NotPossible or NoSuchThing.
    """
    versions = that_were_live(current, deployments)
    if to in ("", PREVIOUS):
        bad = current.pin.bad if current.pin else []
        good = [each for each in versions if each.digest not in bad]
        if not good:
            which = "this is its first version" if not versions else "the others were rolled back"
            raise NotPossible(f"There is no earlier version of {app} to go back to: {which}.")
        return good[0]
    found = _named(to, versions, deployments)
    if len({each.digest for each in found}) > 1:
        raise NotPossible(f"Several versions start with {to}. Give more characters of the digest or ID.")
    if found:
        return found[0]
    if _names(to, current.digest, current.deployment):
        raise NotPossible(f"{app} already runs that version.")
    if any(_names(to, each.digest, each.deployment) for each in deployments):
        raise NotPossible(f"{to} was never live, so you cannot go back to it. Push it to deploy it.")
    raise NoSuchThing(f"{app} has no deployment and no version {to}.")


def _named(to: str, versions: Sequence[Version], deployments: Sequence[Deployment]) -> list[Version]:
    by_digest = [each for each in versions if _names(to, each.digest, each.deployment)]
    digests = {each.digest for each in deployments if each.deployment.startswith(to)}
    return by_digest or [each for each in versions if each.digest in digests]


def _names(to: str, digest: str, deployment: str) -> bool:
    found = DIGEST.fullmatch(to)
    hexadecimal = (found[1] or found[2]) if found else ""
    is_digest = bool(hexadecimal) and digest.removeprefix("sha256:").startswith(hexadecimal)
    return is_digest or bool(deployment and deployment.startswith(to))


def listed(versions: Sequence[Version]) -> str:
    """The possible versions, in a sentence."""
    if not versions:
        return "None of the versions that were live is still in ECR. Push a new image."
    names = ", ".join(f"{each.tag} @{each.digest.removeprefix('sha256:')[:12]}" for each in versions)
    return f"These are still in ECR: {names}."
