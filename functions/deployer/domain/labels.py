"""The settings in an image's labels: `LABEL portcall.port=8080`."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deployer.domain import fargate
from deployer.domain.endpoint import NONE, TCP
from deployer.domain.errors import BadLabelError
from deployer.domain.quote import LIMIT, is_plain, quote

PREFIX = "portcall."
# A task definition may have at most 64 KB in all.
ENVIRONMENT_LIMIT = 32 * 1024


@dataclass(frozen=True)
class Labels:
    """The values of the labels, None for labels that are not set.

    `cpu` is in CPU units, `memory` in MiB, `timeout` and `expires` in seconds, the latter 0 for never;
    `health` is `tcp`, `none` or a path.
    """

    port: int | None = None
    cpu: int | None = None
    memory: int | None = None
    health: str | None = None
    timeout: int | None = None
    capacity: str | None = None
    expires: int | None = None
    environment: dict[str, str] = field(default_factory=dict)


def read(labels: object) -> Labels:
    """Read `config.Labels` of an image; labels without our prefix are ignored.

    Raises BadLabelError with one sentence that names the label and the possible values.
    """
    said: dict[str, Any] = {}
    environment: dict[str, str] = {}
    for label, value in labels.items() if isinstance(labels, dict) else ():
        name = label.removeprefix(PREFIX)
        if name == label:
            continue
        if not isinstance(value, str):
            raise BadLabelError(f"The label {_named(name)} must be a string.")
        if name.partition(".")[0] == "env":
            environment[_variable(name)] = _plain(name, value)
        else:
            said[name] = _value(name, value)
    size = len(json.dumps(environment))
    if size > ENVIRONMENT_LIMIT:
        raise BadLabelError(
            f"The labels portcall.env.* have {size} bytes in all; the limit is {ENVIRONMENT_LIMIT}. "
            "Let the app load large values itself."
        )
    return Labels(**said, environment=environment)


def _value(name: str, value: str) -> int | str:
    if name not in READERS:
        raise BadLabelError(
            f"The label {_named(name)} is unknown{_meant(name, [*READERS, 'env.NAME'], PREFIX)}. The "
            f"labels are {', '.join(PREFIX + each for each in READERS)} and portcall.env.NAME."
        )
    reader, possible, examples = READERS[name]
    read = reader(value.strip())
    if read is None:
        raise BadLabelError(
            f"The label {_named(name)} is {quote(value)}{_meant(value.strip(), examples)}, "
            f"but it must be {possible}."
        )
    return read


def _variable(name: str) -> str:
    variable = name.partition(".")[2]
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", variable):
        raise BadLabelError(
            f"The label {_named(name)} must be portcall.env. followed by the name of an environment "
            "variable: letters, digits and _, not starting with a digit."
        )
    return variable


def _plain(name: str, value: str) -> str:
    """Check a value for `env.NAME`. No error shows it, because it may be a secret, against all advice."""
    if not is_plain(value):
        raise BadLabelError(
            f"The label {_named(name)} has a value with characters that an environment variable cannot contain."
        )
    return value


def _named(name: str) -> str:
    """The label's full name, quoted if it has unusual characters."""
    label = PREFIX + name
    return label if re.fullmatch(r"[\w.-]+", label, re.ASCII) and len(label) <= LIMIT else quote(label)


def _meant(written: str, possible: list[str], prefix: str = "") -> str:
    # Imported here: hardly any image has a wrong label.
    from difflib import get_close_matches

    near = get_close_matches(written.lower(), possible, n=1)
    return f" (did you mean {prefix}{near[0]}?)" if near else ""


def _whole(least: int, most: int) -> Callable[[str], int | None]:
    def read(text: str) -> int | None:
        return int(text) if re.fullmatch("[0-9]{1,6}", text) and least <= int(text) <= most else None

    return read


def _cpu(text: str) -> int | None:
    found = re.fullmatch(r"(\d{1,5}|\d{0,2}\.\d{1,3})\s*(vcpus?)?", text.lower(), re.ASCII)
    if not found:
        return None
    number = float(found[1])
    # The largest task has 16 vCPU, the smallest 256 units, so a number is never both.
    units = number * 1024 if found[2] or number <= 16 else number
    return int(units) if units in fargate.MEMORY else None


def _memory(text: str) -> int | None:
    found = re.fullmatch(r"(\d{1,6}|\d{0,3}\.\d{1,3})\s*(?:(m|g)i?b?)?", text.lower(), re.ASCII)
    if not found:
        return None
    size = float(found[1]) * (1024 if found[2] == "g" else 1)
    return int(size) if size.is_integer() and size > 0 else None


def _health(text: str) -> str | None:
    if text.lower() in (TCP, NONE):
        return text.lower()
    return text if re.fullmatch("/[!-~]{0,999}", text) else None


def _capacity(text: str) -> str | None:
    return CAPACITIES.get(text.lower().replace("_", "-"))


def _expires(text: str) -> int | None:
    if text.lower() == "never":
        return 0
    found = re.fullmatch("([1-9][0-9]{0,3})([mhdw])", text.lower())
    return int(found[1]) * SECONDS[found[2]] if found else None


CAPACITIES = {
    "fargate": "FARGATE",
    "on-demand": "FARGATE",
    "fargate-spot": "FARGATE_SPOT",
    "spot": "FARGATE_SPOT",
}
SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}

# name: how to read it (None if impossible), the possible values, and words that the user may have meant
READERS: dict[str, tuple[Callable[[str], int | str | None], str, list[str]]] = {
    "port": (_whole(1, 65535), "a number from 1 to 65535", []),
    "cpu": (_cpu, f"one of {', '.join(map(str, fargate.MEMORY))}, or 0.25 to 16 vCPU", []),
    "memory": (_memory, "a number of MiB such as 512, or 512M, 2G", []),
    "health": (_health, "a path such as /healthz, tcp, or none", [TCP, NONE]),
    "timeout": (_whole(5, 840), "a number of seconds from 5 to 840", []),
    "capacity": (_capacity, "FARGATE (on-demand) or FARGATE_SPOT (spot)", list(CAPACITIES)),
    "expires": (_expires, "a time such as 90m, 12h, 2d or 1w, or never", ["never"]),
}
