"""What the template passes to every function, read once from the environment."""

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from deployer.domain import limits, operation, patterns, preview
from deployer.domain.image_defaults import Defaults, Limits
from deployer.domain.push import Push, app_name

if TYPE_CHECKING:
    from deployer.domain.platforms import Architecture


@dataclass(frozen=True)
class Settings:
    """Settings of all functions, from `Globals.Function.Environment` in template.yaml.

    `port` is the port of apps whose image names none. Security groups are created in `vpc`, open to `cidr` and,
    if that is not the whole internet, to `probe_group`, the health check's group. `by_tag` says that each tag
    is a separate app; tags that match no pattern in `lasting_tags` are previews. `stable_url` says that apps
    get a stable URL.
    """

    stack: str
    region: str
    registry: str
    cluster: str
    subnets: tuple[str, ...]
    vpc: str
    probe_group: str
    cidr: str
    execution_role: str
    log_group: str
    topic: str
    ledger: str
    port: int
    by_tag: bool
    lasting_tags: tuple[str, ...]
    preview_hours: int
    max_preview_hours: int
    max_previews: int
    max_previews_per_repository: int
    max_apps: int
    stable_url: bool
    operate_function: str
    dashboard_url: str

    def is_preview(self, app: str) -> bool:
        """Whether an app is a preview."""
        return preview.is_preview(app, self.lasting_tags)

    def app(self, repository: str, tag: str) -> str:
        """The app of a push of the tag, by the current parameters."""
        return app_name(repository, tag, by_tag=self.by_tag)

    def slots(self, push: Push) -> dict[str, int]:
        """The sets in which the app of a push needs a slot, and their limits."""
        return limits.slots(
            push.repository,
            preview=self.is_preview(push.app),
            max_apps=self.max_apps,
            max_previews=self.max_previews,
            max_previews_per_repository=self.max_previews_per_repository,
        )

    def deploy_command(self, push: Push) -> str:
        """The command that deploys again what the tag of a push points to."""
        return self.command(operation.DEPLOY, push.app, push.tag)

    def command(self, action: operation.Action, app: str, tag: str = "") -> str:
        """The command that requests an action."""
        return operation.command(action, function=self.operate_function, region=self.region, app=app, tag=tag)

    @property
    def probe_inside(self) -> bool:
        """Whether the health check runs inside the VPC."""
        return bool(self.probe_group)


@dataclass(frozen=True)
class WatchSettings:
    """What is watched, and which workflow to start; passed only to functions outside the workflow.

    Patterns may contain `*`; the first of the `repositories` is the stack's own.
    """

    state_machine: str
    repositories: tuple[str, ...]
    tags: tuple[str, ...]

    def watches(self, repository: str) -> bool:
        """Whether a repository is watched."""
        return patterns.match(repository, self.repositories)

    def watches_tag(self, tag: str) -> bool:
        """Whether a tag is watched, in a watched repository."""
        return patterns.match(tag, self.tags)


@dataclass(frozen=True)
class ImageSettings:
    """The defaults and limits of images; passed only to ReadImage.

    `gated` says that CheckFindings comes next.
    """

    defaults: Defaults
    limits: Limits
    gated: bool


@dataclass(frozen=True)
class ScanGate:
    """Which images are rejected; passed only to CheckFindings.

    `refuses` is the value of `BlockOnFindings`: `none`, `critical` or `high`.
    """

    refuses: str
    lets_unscanned_in: bool


@cache
def image_settings() -> ImageSettings:
    """CPU in CPU units (1024 = one vCPU), memory in MiB, times in seconds."""
    env = os.environ
    return ImageSettings(
        Defaults(
            port=int(env["CONTAINER_PORT"]),
            cpu=env["TASK_CPU"],
            memory=env["TASK_MEMORY"],
            health=env["HEALTH_PATH"],
            timeout=int(env["HEALTH_TIMEOUT"]),
            capacity=env["CAPACITY_PROVIDER"],
            architecture=cast("Architecture", env["CPU_ARCHITECTURE"]),
        ),
        Limits(max_cpu=int(env["MAX_CPU"]), max_memory=int(env["MAX_MEMORY"])),
        gated=env["BLOCK_ON_FINDINGS"] != "none",
    )


@cache
def scan_gate() -> ScanGate:
    """Read CheckFindings's part of the environment."""
    return ScanGate(os.environ["BLOCK_ON_FINDINGS"], os.environ["WHEN_NOT_SCANNED"] == "deploy")


def previews_read_production() -> bool:
    """Whether previews get production's secrets too; passed only to RegisterTaskDefinition."""
    return os.environ["PREVIEW_SECRETS"] == "production"


@cache
def watch_settings() -> WatchSettings:
    """Read the watched patterns, separated by commas; an empty one matches nothing."""
    env = os.environ
    return WatchSettings(
        env["STATE_MACHINE_ARN"],
        repositories=tuple(env["REPOSITORY_PATTERNS"].split(",")),
        tags=tuple(env["TAG_PATTERNS"].split(",")),
    )


@cache
def settings() -> Settings:
    """Read the environment. A missing variable raises KeyError, which the first test finds."""
    env = os.environ
    return Settings(
        stack=env["STACK"],
        region=env["AWS_REGION"],
        registry=env["REGISTRY"],
        cluster=env["CLUSTER_ARN"],
        subnets=tuple(env["SUBNET_IDS"].split(",")),
        vpc=env["VPC_ID"],
        probe_group=env["PROBE_GROUP_ID"],
        cidr=env["ALLOWED_CIDR"],
        execution_role=env["EXECUTION_ROLE_ARN"],
        log_group=env["APP_LOG_GROUP"],
        topic=env["TOPIC_ARN"],
        ledger=env["LEDGER_TABLE"],
        port=int(env["CONTAINER_PORT"]),
        by_tag=env["ENVIRONMENTS"] == "tag",
        lasting_tags=tuple(env["LASTING_TAGS"].split(",")),
        preview_hours=int(env["PREVIEW_HOURS"]),
        max_preview_hours=int(env["MAX_PREVIEW_HOURS"]),
        max_previews=int(env["MAX_PREVIEWS"]),
        max_previews_per_repository=int(env["MAX_PREVIEWS_PER_REPOSITORY"]),
        max_apps=int(env["MAX_APPS"]),
        stable_url=env["STABLE_URL"] == "on",
        operate_function=env["OPERATE_FUNCTION"],
        dashboard_url=env["DASHBOARD_URL"],
    )
