"""What an installation gives an image that does not say, and the most that it gives."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deployer.domain.platforms import Architecture


@dataclass(frozen=True)
class Defaults:
    """What an app gets whose image does not say otherwise; `timeout` in seconds, `health` a path or `tcp`."""

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
