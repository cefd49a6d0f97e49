"""An app's variables in Parameter Store. Values are written, never read."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployer.aws.client import client
from deployer.domain import parameters

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import ParameterStringFilterTypeDef

# https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
LIMIT_BYTES = 4096
NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)", re.DOTALL)

# Escapes in double quotes.
ESCAPES = re.compile(r'\\([\\n"])')
MEANT = {"\\": "\\", "n": "\n", '"': '"'}


@dataclass(frozen=True)
class Secret:
    """A parameter: its variable, when it was changed (UNIX seconds), and its key."""

    name: str
    changed_at: float
    key: str = ""


def folder(repository: str, *, previews: bool) -> str:
    """The path of the parameters of a repository's app or previews."""
    (path,) = parameters.paths(repository, is_preview=previews, previews_read_production=False)
    return path.rstrip("/")


def kept(folder: str) -> list[Secret]:
    """The parameters right below a path such as `/portcall/flask-app`, by name."""
    pages = client("ssm").get_paginator("describe_parameters")
    filters: list[ParameterStringFilterTypeDef] = [{"Key": "Path", "Option": "OneLevel", "Values": [folder]}]
    found = [each for page in pages.paginate(ParameterFilters=filters) for each in page["Parameters"]]
    secrets = [
        Secret(each["Name"].rpartition("/")[2], each["LastModifiedDate"].timestamp(), each.get("KeyId", ""))
        for each in found
    ]
    return sorted(secrets, key=lambda each: each.name)


def put(folder: str, name: str, value: str) -> None:
    """Store a value, encrypted; it replaces the old one."""
    client("ssm").put_parameter(Name=f"{folder}/{name}", Value=value, Type="SecureString", Overwrite=True)


def remove(folder: str, name: str) -> None:
    """Remove a parameter. Raises AwsRefusedError if there is none."""
    client("ssm").delete_parameter(Name=f"{folder}/{name}")


def problem(name: str, value: str) -> str:
    """Why a value cannot be stored under a name, '' if it can. The text never contains the value."""
    if not NAME.fullmatch(name):
        return f"{name} cannot be a variable's name. Use letters, digits and _, not starting with a digit."
    if not value:
        return f"The value of {name} is empty, and Parameter Store cannot store empty values."
    size = len(value.encode())
    if size > LIMIT_BYTES:
        return f"The value of {name} has {size} bytes; the limit is {LIMIT_BYTES}."
    return ""


def parse(text: str) -> dict[str, str]:
    """The variables of a `.env` file: `NAME=value`, perhaps in quotes or after `export`; `#` is a comment.

    Raises ValueError with the number of an invalid line; the message never contains a value.
    """
    found = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        read = LINE.fullmatch(line)
        if not read:
            raise ValueError(f"Line {number} is not NAME=value.")
        found[read[1]] = _unquoted(read[2].strip(), number)
    return found


def _unquoted(value: str, line: int) -> str:
    quote = value[:1]
    if quote in ("'", '"'):
        end = value.find(quote, 1)
        while quote == '"' and end > 0 and value[end - 1] == "\\":
            end = value.find(quote, end + 1)
        rest = value[end + 1 :].strip()
        if end < 0 or (rest and not rest.startswith("#")):
            raise ValueError(f"Line {line} has a quote without an end. Values must be on one line.")
        inside = value[1:end]
        return ESCAPES.sub(lambda found: MEANT[found[1]], inside) if quote == '"' else inside
    return re.split(r"\s+#", value, maxsplit=1)[0]
