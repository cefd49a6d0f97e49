"""A second tag of an image that is live, or being deployed, is recorded and not deployed."""

from dataclasses import dataclass

from deployer.aws import ledger
from deployer.domain import same_image
from deployer.domain.deployment import Current, Deployment
from deployer.domain.errors import ContendedError
from deployer.domain.push import Push
from deployer.domain.same_image import KnownImage


@dataclass(frozen=True)
class Seen:
    """The record of the pushed image, the deployment that it names, and the app's current one."""

    image: KnownImage | None
    first: Deployment | None
    current: Current | None


def read(push: Push) -> Seen:
    """What the ledger says, read in the order of `Seen`: what goes live meanwhile is current, not unknown."""
    known = ledger.image(app=push.app, digest=push.digest)
    first = ledger.deployment(app=push.app, time=known.time, name=known.deployment) if known else None
    return Seen(known, first, ledger.current(app=push.app))


def handled_by(push: Push, seen: Seen, *, before: str, asked: bool) -> str:
    """The deployment that handles the image under another tag; '' if this push handles it from now on.

    `before` is the attempt before this one. A deployment that an operator `asked` for is deployed in any case.
    The result is recorded in one conditional write, so if several tags come at once, only one of them handles
    the image.
    """
    known, current = seen.image, seen.current
    first = "" if asked else same_image.handled_by(push, known, seen.first, current, before)
    if first and (there := known or _served(push, current)):
        new = same_image.noted_for(push, there)
    else:
        new = same_image.handled_from_now_on(push, known)
    if not ledger.put_image(push=push, new=new, seen=known):
        raise ContendedError("Another push of the same image was admitted at the same time.")
    return first


def _served(push: Push, current: Current | None) -> KnownImage | None:
    """The current deployment as a known image: the ledger no longer has its push."""
    return KnownImage(current.deployment, push.time, {current.tag: current.deployment}) if current else None
