"""A Docker engine that answers, or the error that says what to do."""

from dataclasses import dataclass

from localcloud.processes import CloudError


class EngineUnavailable(CloudError):
    """No Docker engine answers and none could be started; the message says what to do."""


@dataclass(frozen=True)
class Engine:
    """A Docker engine that answers. `host` is what DOCKER_HOST would say."""

    host: str
    version: str
    started_by_us: bool = False
