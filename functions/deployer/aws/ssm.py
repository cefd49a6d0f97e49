"""AWS Systems Manager Parameter Store: the names of an app's parameters, never their values."""

from typing import TYPE_CHECKING

from deployer.aws.client import client

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import ParameterStringFilterTypeDef


def parameters(*, path: str) -> dict[str, str]:
    """The ARNs of the parameters right below a path (`/portcall/flask-app/`), by their last name."""
    pages = client("ssm").get_paginator("describe_parameters")
    # GetParametersByPath would also return the values.
    filters: list[ParameterStringFilterTypeDef] = [
        {"Key": "Path", "Option": "OneLevel", "Values": [path.rstrip("/")]}
    ]
    found = [each for page in pages.paginate(ParameterFilters=filters) for each in page["Parameters"]]
    return {each["Name"].rpartition("/")[2]: each["ARN"] for each in found}
