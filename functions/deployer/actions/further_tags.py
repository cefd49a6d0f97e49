"""The further tags under which an image was pushed, for the one mail about it."""

from deployer.aws import ledger
from deployer.domain import same_image
from deployer.domain.push import Push
from deployer.settings import settings


def note(push: Push) -> list[str]:
    """What the mail about a push says of the further tags of its image, as far as they are known."""
    known = ledger.image(table=settings().ledger, app=push.app, digest=push.digest)
    return same_image.note(known.also) if known and known.deployment == push.deployment else []
