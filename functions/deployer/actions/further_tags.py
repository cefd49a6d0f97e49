"""The other tags of an image, for the one mail about it."""

from deployer.aws import ledger
from deployer.domain import same_image
from deployer.domain.push import Push


def note(push: Push) -> list[str]:
    """Lines for the mail about other tags of the same image that are known so far."""
    known = ledger.image(app=push.app, digest=push.digest)
    return same_image.note(known.also) if known and known.deployment == push.deployment else []
