"""The CPU that an image is built for: OCI's platforms, and the two that Fargate runs.

A platform is `{"os", "architecture", "variant"}`, in an index and in an image's configuration alike.
Names are normalized as containerd does: https://github.com/containerd/platforms
"""

from collections.abc import Iterable
from typing import Any, Literal

from deployer.domain.errors import UnsupportedImageError
from deployer.domain.quote import quote

# As ECS calls them.
Architecture = Literal["X86_64", "ARM64"]
MAX_NAMED = 4


def architecture(platform: dict[str, Any]) -> Architecture | None:
    """`X86_64` or `ARM64`, as ECS calls them; None for platforms that Fargate does not run."""
    match parts(platform):
        # amd64/v2 and higher need a newer CPU, so containerd does not choose them.
        case ("linux", "amd64" | "x86_64" | "x86-64", "" | "v1"):
            return "X86_64"
        case ("linux", "arm64" | "aarch64", "" | "v8" | "8"):
            return "ARM64"
    return None


def parts(platform: dict[str, Any]) -> tuple[str, str, str]:
    """Operating system, architecture and variant in lower case, '' if missing."""
    os, cpu, variant = (
        value.strip().lower() if isinstance(value, str) else ""
        for value in map(platform.get, ("os", "architecture", "variant"))
    )
    return os, cpu, variant


def refusal(offered: Iterable[dict[str, Any]]) -> UnsupportedImageError:
    """The error for an image that is built only for these platforms."""
    names = list(dict.fromkeys("/".join(filter(None, parts(platform))) for platform in offered))
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return UnsupportedImageError(
        f"The image is built for {', '.join(map(quote, names[:MAX_NAMED]))}{more}, but it can run on "
        "linux/amd64 or linux/arm64 only: build it with `docker build --platform linux/amd64 ...`."
    )
