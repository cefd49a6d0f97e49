"""The image says it all: how an app is to run, from its manifest and its configuration.

Source: https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from deployer.domain import fargate, health_check, labels, platforms
from deployer.domain import ports as candidate_ports
from deployer.domain.endpoint import NONE
from deployer.domain.errors import BadLabelError, UnsupportedImageError
from deployer.domain.health_check import HealthTarget
from deployer.domain.image_defaults import Defaults, Limits
from deployer.domain.manifest import MEDIA_TYPES, choose, config_digest, is_app, is_index, parse
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
    "parse",
    "spec",
]


@dataclass(frozen=True)
class ImageSpec:
    """How to run an image, as ECS words it.

    `digests` are the pushed one and, where that is an index, the one of the image that was chosen. `ports` are
    the candidates, the likeliest first, a single one where it is certain, none for a worker; `named_by` says
    for each what names it. `health` is `tcp`, `none` or a path; `timeout` are the seconds until it must answer.
    `container_health` is the container definition's `healthCheck`. `expires` are seconds, 0 for never and None
    where the image does not say.
    """

    digests: list[str]
    architecture: str
    ports: list[int]
    cpu: str
    memory: str
    health: str
    timeout: int
    environment: dict[str, str]
    capacity: str
    container_health: dict[str, Any] | None
    expires: int | None
    named_by: list[str] = field(default_factory=list)

    @property
    def runs(self) -> str:
        """The digest of the image that was read, and so runs: an index may hold others, which nobody read."""
        return self.digests[-1]

    def document(self) -> dict[str, Any]:
        """What travels in the workflow's document."""
        return asdict(self)

    @property
    def candidates(self) -> list[Candidate]:
        """The ports, each with what names it."""
        return [Candidate(port, by) for port, by in zip(self.ports, self.named_by, strict=False)]

    def answering_on(self, ports: Sequence[int]) -> "ImageSpec":
        """The same with these ports only, now that it is known on which of them the app answers."""
        by = {each.port: each.named_by for each in self.candidates}
        return replace(self, ports=list(ports), named_by=[by[port] for port in ports if port in by])

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "ImageSpec":
        """Read what `document` wrote; what else is there is left alone."""
        return cls(**{each.name: document[each.name] for each in fields(cls) if each.name in document})


def spec(config: dict[str, Any], *, digests: Sequence[str], defaults: Defaults, limits: Limits) -> ImageSpec:
    """Read an image's configuration, the blob that its manifest names.

    Raises UnsupportedImageError for what cannot run, and BadLabelError.
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


def _architecture(config: dict[str, Any], default: str) -> str:
    """An image made by hand may leave out its platform; then it is taken for what this installation runs."""
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
        # What a base image EXPOSEs is not the worker's.
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
    """The path of the health check, unless it asks another port: what answers there may not know it here."""
    return asked.path if asked and asked.port in (None, *ports[:1]) else ""
