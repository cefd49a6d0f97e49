"""How to run an image: what the steps after ReadImage know of it, and what is kept with what is current."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, cast

from deployer.domain.document import Image
from deployer.domain.ports import Candidate

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import HealthCheckTypeDef

    from deployer.domain.platforms import Architecture


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
    architecture: "Architecture"
    ports: list[int]
    cpu: str
    memory: str
    health: str
    timeout: int
    environment: dict[str, str]
    capacity: str
    container_health: "HealthCheckTypeDef | None"
    expires: int | None
    named_by: list[str] = field(default_factory=list)

    @property
    def runs(self) -> str:
        """The digest of the image that was read, and so runs: an index may hold others, which nobody read."""
        return self.digests[-1]

    def document(self) -> Image:
        """What travels in the workflow's document."""
        return cast(Image, asdict(self))

    @property
    def candidates(self) -> list[Candidate]:
        """The ports, each with what names it."""
        return [Candidate(port, by) for port, by in zip(self.ports, self.named_by, strict=False)]

    def answering_on(self, ports: Sequence[int]) -> "ImageSpec":
        """The same with these ports only, now that it is known on which of them the app answers."""
        by = {each.port: each.named_by for each in self.candidates}
        return replace(self, ports=list(ports), named_by=[by[port] for port in ports if port in by])

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ImageSpec":
        """Read what `document` wrote; what else is there is left alone."""
        return cls(**{each.name: document[each.name] for each in fields(cls) if each.name in document})
