"""An image's HEALTHCHECK: as ECS's health check, and as a hint on which port the app answers.

Sources: https://github.com/moby/docker-image-spec/blob/main/spec.md (Healthcheck) and
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deployer.domain.quote import is_plain

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import HealthCheckTypeDef

# The longest command that is used: a task definition has 64 KB in all.
COMMAND_LIMIT = 4096
NANOSECONDS = 10**9
# A worker has no port to check. It counts as live once it has run for this long.
WORKER_SECONDS = 30.0

# The address must end here: if the path continues with a variable, it is unknown.
ADDRESS = re.compile(
    r"""
    (?: (?P<scheme> http:// ) | (?<! [\w./:@-] ) )
    (?: localhost | 127\.0\.0\.1 | 0\.0\.0\.0 | \[::1?\] )
    (?P<colon> : (?: (?P<port> [0-9]{1,5} ) | \$\w+ | \$\{ [^{}\s]* \} ) )?
    (?P<path> / [\w.~%/+:@=,?-]* )?
    (?= $ | [\s"'`\\|;&<>()\#] )
    """,
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)

UNIX_SOCKET = re.compile(r"(?<!\S)--(?:abstract-)?unix-socket(?!\S)|(?<!\S)--unix-socket=")
# An address belongs to the last command before it.
HTTP_CLIENT = re.compile(r"\b(?:curl|wget|http)\b[^;&|]*$")


@dataclass(frozen=True)
class HealthTarget:
    """The target of a health check; `port` is None if only the running container knows it."""

    port: int | None
    path: str


def container_health(check: object) -> "HealthCheckTypeDef | None":
    """The `healthCheck` of an ECS container definition; None if the image has none that ECS accepts.

    ECS ignores the HEALTHCHECK in the image. ECS uses seconds, Docker nanoseconds. For values that the image
    leaves out, Docker's defaults are used, not ECS's.
    """
    match check:
        case {"Test": list(test), **rest} if _is_command(test):
            return {
                "command": test,
                "interval": _seconds(rest.get("Interval"), default=30, least=5, most=300),
                "timeout": _seconds(rest.get("Timeout"), default=30, least=2, most=60),
                "retries": _within(_number(rest.get("Retries")) or 3, 1, 10),
                "startPeriod": _seconds(rest.get("StartPeriod"), default=0, least=0, most=300),
            }
    return None


def target(check: object) -> HealthTarget | None:
    """The first HTTP address of the container itself in the check's command, None if there is none."""
    match check:
        case {"Test": list(test)} if _is_command(test):
            return next(_addresses(" ".join(test[1:])), None)
    return None


def _is_command(test: list[Any]) -> bool:
    return (
        test[:1] in (["CMD"], ["CMD-SHELL"])
        and all(isinstance(word, str) and is_plain(word) for word in test)
        and any(word.strip() for word in test[1:])
        and len(json.dumps(test)) <= COMMAND_LIMIT
    )


def _addresses(command: str) -> Iterator[HealthTarget]:
    # If curl uses a Unix socket, nothing listens on the URL's port.
    over_tcp = not UNIX_SOCKET.search(command)
    for found in ADDRESS.finditer(command):
        # `localhost/healthz` is an HTTP address, and so are arguments of curl and wget; `localhost:5432` may
        # be a database.
        if found["scheme"] or found["path"] or HTTP_CLIENT.search(command[: found.start()]):
            port = int(found["port"] or 0) if found["colon"] else 80
            yield HealthTarget(port if over_tcp and 0 < port < 65536 else None, found["path"] or "/")


def _seconds(nanoseconds: object, *, default: int, least: int, most: int) -> int:
    """Rounded up; 0 stands for Docker's default, as in the image."""
    return _within(-(-_number(nanoseconds) // NANOSECONDS) or default, least, most)


def _within(number: int, least: int, most: int) -> int:
    return max(least, min(number, most))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
