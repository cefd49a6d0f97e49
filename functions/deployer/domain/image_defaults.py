"""The install's defaults for images, and the most that an image may ask for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deployer.domain.platforms import Architecture


@dataclass(frozen=True)
class Defaults:
    """The settings of an app whose image does not set them; `timeout` in seconds, `health` a path or `tcp`."""

    port: int
    cpu: str
    memory: str
    health: str
    timeout: int
    capacity: str = "FARGATE"
    architecture: "Architecture" = "X86_64"


@dataclass(frozen=True)
class Limits:
    """The most that an image may ask for: CPU units and MiB."""

    max_cpu: int
    max_memory: int
