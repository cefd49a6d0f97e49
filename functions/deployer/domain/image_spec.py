"""How to run an image: ReadImage's result, which later steps use and the current deployment keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, cast

from deployer.domain.document import Image
from deployer.domain.ports import Candidate

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import HealthCheckTypeDef

    from deployer.domain.manifest import Packing
    from deployer.domain.platforms import Architecture


@dataclass(frozen=True)
class ImageSpec:
    """How to run an image, in ECS's terms.

    `digests` are the pushed digest and, if that is an index, the digest of the chosen image. `ports` are the
    candidates, the likeliest first: a single one if it is certain, none for a worker. `named_by` says for each
    port what in the image names it. `health` is `tcp`, `none` or a path; `timeout` is in seconds.
    `container_health` is the container definition's `healthCheck`. `expires` is in seconds, 0 for never, None
    if the image does not say. `size` is the number of bytes that a pull loads, 0 if unknown.
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
    size: int = 0
    packing: "Packing" = "gzip"

    @property
    def runs(self) -> str:
        """The digest of the image that was read, and runs. An index may have others, which were not read."""
        return self.digests[-1]

    def document(self) -> Image:
        """The form in the workflow's document."""
        return cast(Image, asdict(self))

    @property
    def candidates(self) -> list[Candidate]:
        """The ports, each with what names it."""
        return [Candidate(port, by) for port, by in zip(self.ports, self.named_by, strict=False)]

    def answering_on(self, ports: Sequence[int]) -> "ImageSpec":
        """The same with only these ports, on which the app answers."""
        by = {each.port: each.named_by for each in self.candidates}
        return replace(self, ports=list(ports), named_by=[by[port] for port in ports if port in by])

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ImageSpec":
        """Read what `document` wrote; other keys are ignored."""
        return cls(**{each.name: document[each.name] for each in fields(cls) if each.name in document})
