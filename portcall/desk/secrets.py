"""What Parameter Store keeps for an app: names, never values."""

from dataclasses import dataclass

from deployer.aws.client import client, errors_as_ours


@dataclass(frozen=True)
class Secret:
    """A parameter: the variable that it becomes, when it was changed (UNIX seconds), and its key."""

    name: str
    changed_at: float
    key: str = ""


def kept(folder: str) -> list[Secret]:
    """The parameters right below a path such as `/portcall/flask-app`, by name."""
    with errors_as_ours():
        pages = client("ssm").get_paginator("describe_parameters")
        filters = [{"Key": "Path", "Option": "OneLevel", "Values": [folder]}]
        found = [each for page in pages.paginate(ParameterFilters=filters) for each in page["Parameters"]]
    secrets = [
        Secret(each["Name"].rpartition("/")[2], each["LastModifiedDate"].timestamp(), each.get("KeyId", ""))
        for each in found
    ]
    return sorted(secrets, key=lambda each: each.name)
