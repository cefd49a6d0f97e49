"""What the mail says where Fargate took long to start a task, and what makes that faster.

Fargate keeps no images, so each start pulls the whole image:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-pull-behavior.html
"""

from collections.abc import Sequence
from typing import Final

from deployer.domain.document import Image

# A pull that is shorter is not worth the work: AWS has measured at most 27 % less with zstd.
# https://aws.amazon.com/blogs/containers/reducing-aws-fargate-startup-times-with-zstd-compressed-container-images/
SLOW_PULL_SECONDS: Final = 10.0
# The base images `python:3.12-slim` and `node:22-slim` have 45 and 80 MB: a smaller one would change little.
SMALL_IMAGE_BYTES: Final = 100 * 1000**2
# From which on AWS recommends to load images lazily, with SOCI (the page above).
SOCI_IMAGE_BYTES: Final = 250 * 1000**2
# Fargate needs 10 to 20 seconds to find room for a task and to attach its network interface.
SLOW_SCHEDULE_SECONDS: Final = 30.0

# Without `oci-mediatypes` BuildKit gives zstd layers a media type that the OCI specification does not have.
ZSTD_OUTPUT: Final = "--output type=image,push=true,oci-mediatypes=true,compression=zstd,force-compression=true"


def notes(phases: Sequence[tuple[str, float]], image: Image) -> list[str]:
    """Lines for the mail of a deployment, from its phases (name, seconds); none where the start was fast."""
    took = dict(phases)
    found = []
    if took.get("schedule", 0.0) >= SLOW_SCHEDULE_SECONDS:
        waited = f"{took['schedule']:.0f} s"
        found.append(f"Fargate took {waited} before it began to pull the image. That is on AWS's side.")
    size = image.get("size", 0)
    if took.get("pull", 0.0) >= SLOW_PULL_SECONDS and size >= SMALL_IMAGE_BYTES:
        megabytes = f"{size / 1000**2:.0f} MB"
        found.append(f"Fargate took {took['pull']:.0f} s to pull the image, which is {megabytes} compressed.")
        found.append(f"To make that faster: {_what_helps(image)}.")
    return found


def _what_helps(image: Image) -> str:
    base = "use a smaller base image"
    if image["packing"] != "gzip":
        return base
    zstd = f"compress it with zstd (docker buildx build {ZSTD_OUTPUT} ...)"
    if image["size"] < SOCI_IMAGE_BYTES:
        return f"{base}, or {zstd}"
    return f"{base}, {zstd}, or add a SOCI index"
