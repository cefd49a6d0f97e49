"""The ports on which an app may answer, from its image, the likeliest first, each with its reason.

Sources: https://github.com/opencontainers/image-spec/blob/main/config.md (ExposedPorts) and
https://docs.docker.com/reference/dockerfile/#expose (ranges).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from deployer.domain.errors import UnsupportedImageError

LIMIT = 20
LABEL, HEALTHCHECK, EXPOSE, DEFAULT = "LABEL portcall.port", "HEALTHCHECK", "EXPOSE", "ContainerPort"

EXPOSED = re.compile("([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
# The variables that set the port of servers and frameworks; ASP.NET's may hold several ports, or URLs.
VARIABLES = (
    "PORT",
    "HTTP_PORT",
    "SERVER_PORT",
    "APP_PORT",
    "LISTEN_PORT",
    "FLASK_RUN_PORT",
    "UVICORN_PORT",
    "ASPNETCORE_HTTP_PORTS",
    "ASPNETCORE_URLS",
)
PORT_IN_VALUE = re.compile(r"(?:^|;)\s*(?:http://[^\s/;:]*:|http://\[[^\]]*\]:)?([0-9]{1,5})/?\s*(?=;|$)")
# The usual ports of metrics (Prometheus and its exporters, OpenTelemetry, StatsD) and of debuggers (JVM, Node,
# Go, Python). They often answer before the app does.
AUXILIARY = frozenset(
    {2345, 5005, 5678, 6060, 8125, 9090, 9091, 9100, 9102, 9113, 9187, 9229, 9404, 9464, 40000}
)


@dataclass(frozen=True)
class Candidate:
    """A TCP port, and what in the image names it."""

    port: int
    named_by: str

    @property
    def is_auxiliary(self) -> bool:
        """Whether metrics or a debugger usually use this port, and only EXPOSE or the HEALTHCHECK names it."""
        return self.named_by in (EXPOSE, HEALTHCHECK) and self.port in AUXILIARY


def candidates(
    *, label: int | None, exposed: object, asked: int | None, environment: object, default: int
) -> list[Candidate]:
    """The ports to try, the likeliest first; a single one if it is certain.

    `label` is the label portcall.port, `exposed` and `environment` are the configuration's `ExposedPorts` and
    `Env`, `asked` is the port in the HEALTHCHECK. Raises UnsupportedImageError if the image exposes only UDP
    ports, or more ports than can be tried.
    """
    if label:
        return [Candidate(label, LABEL)]
    named, tcp = _exposed(exposed)
    if asked and (not tcp or asked in tcp):
        return [Candidate(asked, HEALTHCHECK)]
    variables = list(_variables(environment))
    found = [
        *([Candidate(asked, HEALTHCHECK)] if asked else []),
        # A variable from a base image is no better evidence than EXPOSE.
        *variables,
        *(Candidate(port, EXPOSE) for port in tcp),
    ]
    if named and not found:
        raise UnsupportedImageError(
            "The image exposes no TCP port, but an app must answer over TCP. EXPOSE its port, or "
            "name it with LABEL portcall.port=<number>."
        )
    first: dict[int, Candidate] = {}
    for each in found:
        first.setdefault(each.port, each)
    if len(first) > LIMIT:
        raise UnsupportedImageError(
            f"The image exposes {len(first)} TCP ports; Portcall can try {LIMIT}. Name the one that "
            "answers with LABEL portcall.port=<number>."
        )
    return sorted(first.values(), key=lambda each: each.is_auxiliary) or [Candidate(default, DEFAULT)]


def note(candidates: Sequence[Candidate], chosen: Sequence[int]) -> str:
    """Which of several ports was chosen, for the mail; '' if there was only one.

    `chosen` are the port that answered and the other ports that stay open.
    """
    if len(candidates) < 2:
        return ""
    by = {each.port: each.named_by for each in candidates}
    others = ", ".join(f"{port} ({named_by})" for port, named_by in by.items() if port not in chosen)
    closed = f" The other named ports are closed now: {others}." if others else ""
    return (
        f"It answered on port {chosen[0]}, which {by.get(chosen[0], EXPOSE)} names.{closed} To choose "
        "another port, add LABEL portcall.port=<number>."
    )


def _exposed(exposed: object) -> tuple[bool, list[int]]:
    """Whether EXPOSE names any port, and the TCP ports, ascending."""
    found = [EXPOSED.fullmatch(each) for each in exposed] if isinstance(exposed, dict) else []
    spans = [
        (int(each[1]), int(each[2] or each[1]), (each[3] or "tcp").lower())
        for each in found
        if each and 0 < int(each[1]) <= int(each[2] or each[1]) < 65536
    ]
    tcp = {
        port
        for first, last, protocol in spans
        if protocol == "tcp"
        for port in range(first, last + 1)
    }  # fmt: skip
    return bool(spans), sorted(tcp)


def _variables(environment: object) -> Iterator[Candidate]:
    pairs: Iterable[object] = environment if isinstance(environment, list) else ()
    values = dict(each.split("=", 1) for each in pairs if isinstance(each, str) and "=" in each)
    for name in VARIABLES:
        for port in map(int, PORT_IN_VALUE.findall(values.get(name, ""))):
            if 0 < port < 65536:
                yield Candidate(port, f"ENV {name}")
