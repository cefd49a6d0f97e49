"""AWS Systems Manager Parameter Store: which parameters an app has. Never their values."""

from deployer.aws.client import client, errors_as_ours


def parameters(*, path: str) -> dict[str, str]:
    """The ARNs of the parameters right below a path (`/portcall/flask-app/`), by their last name."""
    with errors_as_ours():
        pages = client("ssm").get_paginator("describe_parameters")
        # GetParametersByPath would give their values along.
        filters = [{"Key": "Path", "Option": "OneLevel", "Values": [path.rstrip("/")]}]
        found = [each for page in pages.paginate(ParameterFilters=filters) for each in page["Parameters"]]
    return {each["Name"].rpartition("/")[2]: each["ARN"] for each in found}
