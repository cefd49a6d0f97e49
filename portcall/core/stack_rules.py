"""The rules about pushes in a stack's parameters, as its functions read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from deployer.domain import limits, patterns, preview
from deployer.domain.image_defaults import Defaults, Limits
from deployer.domain.push import app_name

from portcall.core.trouble import Trouble

if TYPE_CHECKING:
    from deployer.domain.platforms import Architecture


@dataclass(frozen=True)
class StackRules:
    """The stack's parameters; patterns may contain `*`."""

    defaults: Defaults
    limits: Limits
    by_tag: bool
    repositories: tuple[str, ...]
    tags: tuple[str, ...]
    lasting_tags: tuple[str, ...]
    created_below: str
    refuses_findings: str
    preview_hours: int
    max_preview_hours: int
    max_apps: int
    max_previews: int
    max_previews_per_repository: int

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "StackRules":
        """Read the parameters. Raises Trouble if the stack lacks some of them."""
        try:
            return cls._read(parameters)
        except KeyError as missing:
            raise Trouble(
                f"The stack has no parameter {missing.args[0]}: it is older than this command. Upgrade it: "
                "portcall upgrade"
            ) from missing

    @classmethod
    def _read(cls, given: Mapping[str, str]) -> "StackRules":
        watches_more = bool(given["RepositoryPattern"])
        of_one_repository = "MaxPreviewsPerRepository" if watches_more else "MaxPreviews"
        return cls(
            Defaults(
                port=int(given["ContainerPort"]),
                cpu=given["TaskCpu"],
                memory=given["TaskMemory"],
                health=given["HealthPath"],
                timeout=int(given["HealthTimeout"]),
                capacity=given["CapacityProvider"],
                architecture=cast("Architecture", given["CpuArchitecture"]),
            ),
            Limits(max_cpu=int(given["MaxCpu"]), max_memory=int(given["MaxMemory"])),
            by_tag=given["Environments"] == "tag",
            repositories=(given["RepositoryName"], given["RepositoryPattern"]),
            tags=tuple(given["TagPattern"].split(",")),
            lasting_tags=tuple(given["LastingTags"].split(",")),
            created_below=given["CreateRepositories"],
            refuses_findings=given["BlockOnFindings"],
            preview_hours=int(given["PreviewHours"]),
            max_preview_hours=int(given["MaxPreviewHours"]),
            max_apps=int(given["MaxApps"]),
            max_previews=int(given["MaxPreviews"]),
            max_previews_per_repository=int(given[of_one_repository]),
        )

    def app(self, repository: str, tag: str) -> str:
        """The app of a push of the tag."""
        return app_name(repository, tag, by_tag=self.by_tag)

    def is_preview(self, app: str) -> bool:
        """Whether an app is a preview."""
        return preview.is_preview(app, self.lasting_tags)

    def slots(self, app: str) -> dict[str, int]:
        """The sets in which an app needs a slot, and their limits."""
        return limits.slots(
            app.partition(":")[0],
            preview=self.is_preview(app),
            max_apps=self.max_apps,
            max_previews=self.max_previews,
            max_previews_per_repository=self.max_previews_per_repository,
        )

    def why_not_watched(self, repository: str, tag: str) -> str:
        """Why a push starts nothing, '' if it is watched."""
        if not patterns.match(repository, self.repositories):
            named = " and ".join(filter(None, self.repositories))
            return f"Pushes to {repository} are not deployed: this stack deploys from {named}."
        if not patterns.match(tag, self.tags):
            return f"Pushes of the tag {tag} are not deployed: TagPattern is {','.join(self.tags)}."
        return ""

    def creates(self, repository: str) -> bool:
        """Whether ECR creates the repository on its first push."""
        below = self.created_below
        return below == "ROOT" or bool(below and repository.startswith(f"{below}/"))
