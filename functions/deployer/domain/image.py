"""How to run an image, from its manifest and its configuration.

Source: https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from collections.abc import Sequence
from typing import Any

from deployer.domain import fargate, health_check, labels, platforms
from deployer.domain import ports as candidate_ports
from deployer.domain.endpoint import NONE
from deployer.domain.errors import BadLabelError, UnsupportedImageError
from deployer.domain.health_check import HealthTarget
from deployer.domain.image_defaults import Defaults, Limits
from deployer.domain.image_spec import ImageSpec
from deployer.domain.manifest import (
    MEDIA_TYPES,
    choose,
    config_digest,
    is_app,
    is_index,
    packing,
    parse,
    size,
)
from deployer.domain.ports import Candidate

__all__ = [
    "MEDIA_TYPES",
    "Defaults",
    "ImageSpec",
    "Limits",
    "choose",
    "config_digest",
    "is_app",
    "is_index",
    "packing",
    "parse",
    "size",
    "spec",
]


def spec(config: dict[str, Any], *, digests: Sequence[str], defaults: Defaults, limits: Limits) -> ImageSpec:
    """Read an image's configuration, the blob that its manifest names.

    Raises UnsupportedImageError if it cannot run, and BadLabelError.
    """
    architecture = _architecture(config, defaults.architecture)
    settings = config.get("config")
    settings = settings if isinstance(settings, dict) else {}
    if not (_says_something(settings.get("Entrypoint")) or _says_something(settings.get("Cmd"))):
        raise UnsupportedImageError(
            "The image has no start command. Add a CMD or an ENTRYPOINT to its Dockerfile."
        )
    said = labels.read(settings.get("Labels"))
    asked = health_check.target(settings.get("Healthcheck"))
    candidates = _candidates(said, settings, asked, defaults)
    ports = [each.port for each in candidates]
    size = fargate.size(
        said.cpu,
        said.memory,
        default=fargate.Size(int(defaults.cpu), int(defaults.memory)),
        limit=fargate.Size(limits.max_cpu, limits.max_memory),
    )
    return ImageSpec(
        digests=list(dict.fromkeys(digests)),
        architecture=architecture,
        ports=ports,
        named_by=[each.named_by for each in candidates],
        cpu=str(size.cpu),
        memory=str(size.memory),
        health=said.health or _path(asked, ports) or defaults.health,
        timeout=said.timeout or defaults.timeout,
        environment=said.environment,
        capacity=said.capacity or defaults.capacity,
        container_health=health_check.container_health(settings.get("Healthcheck")),
        expires=said.expires,
    )


def _architecture(config: dict[str, Any], default: platforms.Architecture) -> platforms.Architecture:
    """The image's architecture. If an image made by hand names none, it is the install's default."""
    os, cpu, _ = platforms.parts(config)
    if not cpu and os in ("", "linux"):
        return default
    platform = config | {"os": os or "linux"}
    architecture = platforms.architecture(platform)
    if architecture is None:
        raise platforms.refusal([platform])
    return architecture


def _says_something(command: object) -> bool:
    return isinstance(command, list) and any(isinstance(word, str) and word.strip() for word in command)


def _candidates(
    said: labels.Labels, settings: dict[str, Any], asked: HealthTarget | None, defaults: Defaults
) -> list[Candidate]:
    if said.health == NONE:
        # A worker listens on no port: EXPOSE comes from its base image.
        if said.port:
            raise BadLabelError(
                "The label portcall.port names a port, but portcall.health=none says that the app "
                "has none. Remove one of the two."
            )
        return []
    return candidate_ports.candidates(
        label=said.port,
        exposed=settings.get("ExposedPorts"),
        asked=asked.port if asked else None,
        environment=settings.get("Env"),
        default=defaults.port,
    )


def _path(asked: HealthTarget | None, ports: list[int]) -> str:
    """The path of the health check, unless it is for another port, where another server may answer."""
    return asked.path if asked and asked.port in (None, *ports[:1]) else ""
