"""Installs the stack with CloudFormation's own calls, from what one `sam build` has built for the whole test run.

A cloud of its own would take nine seconds of CPU for `sam build` and `sam deploy`, and five for each change of
a parameter. What these, `portcall up`, `portcall install` and `portcall verify-aws` do has tests of its own:
test_stack, test_install, test_wheel, test_command_line, test_verify_aws.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from localcloud.settings import STACK
from localcloud.stack import given
from portcall.installer.packaged import Packaged

# SAM's transform of the template, and its roles.
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
WITHIN = 300.0
# A function that returns a client of a service.
Clients = Callable[[str], Any]


def package(built: Path, folder: Path) -> Packaged:
    """The stack as a release carries it, its template as JSON, of which clouds read dozens in the time of one in YAML."""
    if not folder.exists():
        from release import packaging

        packaging.write(built, folder)
    release = Packaged.load(folder)
    return replace(release, template=json.dumps(yaml.load(release.template, Loader=yaml.CSafeLoader)))


def create(client: Clients, release: Packaged, parameters: Mapping[str, str], name: str = STACK) -> None:
    """Create the stack with these parameters; the others have their defaults."""
    s3, cloudformation = client("s3"), client("cloudformation")
    bucket, region = f"release-{uuid.uuid4().hex}", s3.meta.region_name
    where = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **({} if region == "us-east-1" else where))
    uploads = release.uploads(name) | release.template_upload(bucket, name)
    for key, content in uploads.items():
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    cloudformation.create_stack(
        StackName=name,
        TemplateURL=f"{s3.meta.endpoint_url}/{bucket}/{list(uploads)[-1]}",
        Capabilities=CAPABILITIES,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given(parameters).items()],
    )
    _ended(cloudformation, name, "CREATE_COMPLETE")


def update(client: Clients, parameters: Mapping[str, str], name: str = STACK) -> None:
    """Change these parameters; the others and the template stay."""
    cloudformation = client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    kept = [each["ParameterKey"] for each in stack["Parameters"] if each["ParameterKey"] not in parameters]
    cloudformation.update_stack(
        StackName=name,
        UsePreviousTemplate=True,
        Capabilities=CAPABILITIES,
        Parameters=[
            *({"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()),
            *({"ParameterKey": key, "UsePreviousValue": True} for key in kept),
        ],
    )
    _ended(cloudformation, name, "UPDATE_COMPLETE")


def delete(client: Clients, name: str = STACK) -> None:
    """Delete the stack, as `sam delete` does."""
    cloudformation = client("cloudformation")
    # A deleted stack is found by its id alone.
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    cloudformation.delete_stack(StackName=name)
    _ended(cloudformation, stack["StackId"], "DELETE_COMPLETE")


def _ended(cloudformation: Any, stack: str, expected: str) -> None:
    deadline = time.monotonic() + WITHIN
    while (status := _status(cloudformation, stack)).endswith("_IN_PROGRESS"):
        assert time.monotonic() < deadline, f"{stack} is {status}"
        time.sleep(0.2)
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"] if status != expected else []
    reasons = [f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason')}" for each in events]
    assert status == expected, reasons


def _status(cloudformation: Any, stack: str) -> str:
    return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
