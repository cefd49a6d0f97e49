"""A second tag of an image that is live, or being deployed, is recorded and not deployed."""

from deployer.aws import ledger
from deployer.domain import same_image
from deployer.domain.errors import ContendedError
from deployer.domain.push import Push
from deployer.domain.same_image import KnownImage


def handled_by(push: Push, *, before: str, asked: bool) -> str:
    """The deployment that handles the image under another tag; '' if this push handles it from now on.

    `before` is the attempt before this one. A deployment that an operator `asked` for is deployed in any case.
    The result is recorded in one conditional write, so if several tags come at once, only one of them handles
    the image.
    """
    known = ledger.image(app=push.app, digest=push.digest)
    first = None if asked else _first(push, known, before)
    new = (
        same_image.noted_for(push, known or _served(push))
        if first
        else same_image.handled_from_now_on(push, known)
    )
    if not ledger.put_image(push=push, new=new, seen=known):
        raise ContendedError("Another push of the same image was admitted at the same time.")
    return first or ""


def _first(push: Push, known: KnownImage | None, before: str) -> str:
    current = ledger.current(app=push.app)
    deployment = None
    if known:
        deployment = ledger.deployment(app=push.app, time=known.time, name=known.deployment)
    return same_image.handled_by(push, known, deployment, current, before)


def _served(push: Push) -> KnownImage:
    """The current deployment as a known image, if the ledger no longer has its push."""
    current = ledger.current(app=push.app)
    if current is None:
        raise ContendedError("The app ended at the same time.")
    return KnownImage(current.deployment, push.time, {current.tag: current.deployment})
