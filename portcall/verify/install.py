"""The install under a separate name, with the commands of the README."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localcloud.packing import packed
from localcloud.settings import PROJECT
from portcall.verify.account import Account
from portcall.verify.errors import CheckFailedError, DifferentError
from portcall.verify.state import State
from portcall.verify.tools import Tools

SAM = str(Path(sys.executable).with_name("sam"))
CONFIG = ["--config-file", str(PROJECT / "samconfig.toml")]
# UpdateStack, which has no change set to review, needs the second one for SAM's transform.
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
SETTLE_SECONDS = 1800


def build(tools: Tools, folder: Path) -> None:
    """Run `sam build` into a separate folder."""
    tools.run(
        SAM, "build", *CONFIG, "--build-dir", str(folder / "build"), "--cache-dir", str(folder / "build-cache")
    )


def deploy(account: Account, state: State, tools: Tools, folder: Path, changes: dict[str, str]) -> None:
    """Run `sam deploy` with these parameters; then record the outputs and resources in the state.

    Raises CheckFailedError with CloudFormation's reasons, DifferentError if another parameter changed.
    """
    with _changing(account, state, changes):
        tools.run(
            SAM,
            "deploy",
            *CONFIG,
            "--template-file",
            str(packed(folder / "build" / "template.yaml")),
            "--stack-name",
            state.name,
            "--region",
            account.region,
            # Uploads have the run's name as prefix, so that they can be removed.
            "--s3-prefix",
            state.name,
            "--no-progressbar",
            "--parameter-overrides",
            *(f"{name}={value}" for name, value in changes.items()),
        )


def update(account: Account, state: State, changes: dict[str, str]) -> None:
    """Change parameters with CloudFormation's UpdateStack, which keeps the template; otherwise like `deploy`.

    Nothing is packed and uploaded again, so it takes a fraction of the time of `sam deploy`.
    """
    with _changing(account, state, changes):
        cloudformation = account.client("cloudformation")
        stack = describe(account, state.name) or {}
        kept = [
            each["ParameterKey"] for each in stack.get("Parameters", []) if each["ParameterKey"] not in changes
        ]
        cloudformation.update_stack(
            StackName=state.name,
            UsePreviousTemplate=True,
            Capabilities=CAPABILITIES,
            Parameters=[
                *({"ParameterKey": name, "ParameterValue": value} for name, value in changes.items()),
                *({"ParameterKey": name, "UsePreviousValue": True} for name in kept),
            ],
        )
        if (status := settled(account, state.name)) != "UPDATE_COMPLETE":
            raise CheckFailedError(f"After the update the stack is {status}")


@contextmanager
def _changing(account: Account, state: State, changes: dict[str, str]) -> Iterator[None]:
    """Record the changed parameters before, and what the stack has after it; add CloudFormation's reasons."""
    state.parameters = {**state.parameters, **changes}
    state.save()
    try:
        yield
    except CheckFailedError as error:
        refused = refusals(account, state.name)
        raise CheckFailedError("\n".join([str(error), *refused])) from error
    finally:
        remember(account, state)
    _compare_parameters(account, state)


def delete(account: Account, state: State, tools: Tools) -> None:
    """Run `sam delete`, as the README says."""
    tools.run(SAM, "delete", "--stack-name", state.name, "--region", account.region, "--no-prompts")


def describe(account: Account, name: str) -> dict[str, Any] | None:
    """The stack as CloudFormation describes it, None if there is none."""
    try:
        stacks = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return next((each for each in stacks if each["StackStatus"] != "DELETE_COMPLETE"), None)


def settled(account: Account, name: str) -> str | None:
    """Wait until the stack no longer changes; return its status, None if it is gone."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        stack = describe(account, name)
        status = str(stack["StackStatus"]) if stack else None
        # A stack in review was never created.
        if status is None or status == "REVIEW_IN_PROGRESS" or not status.endswith("_IN_PROGRESS"):
            return status
        if time.monotonic() > deadline:
            return status
        time.sleep(0.2 if account.embedded else 10)


def remember(account: Account, state: State) -> None:
    """Record the stack's outputs and resources, so that leftovers can be found after its deletion."""
    stack = describe(account, state.name)
    if stack is None:
        return
    state.outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    pages = account.client("cloudformation").get_paginator("list_stack_resources")
    for page in pages.paginate(StackName=state.name):
        for each in page["StackResourceSummaries"]:
            if each.get("PhysicalResourceId"):
                state.resources[each["LogicalResourceId"]] = each["PhysicalResourceId"]
    state.save()


def _compare_parameters(account: Account, state: State) -> None:
    """Check that parameters that were not named keep their values."""
    stack = describe(account, state.name) or {}
    are = {each["ParameterKey"]: each.get("ParameterValue", "") for each in stack.get("Parameters", [])}
    wrong = {name: are.get(name) for name, value in state.parameters.items() if are.get(name) != value}
    if wrong:
        raise DifferentError(f"The update changed parameters that were not named: they are {wrong} now")


def refusals(account: Account, name: str) -> list[str]:
    """CloudFormation's reasons for resources that it could not create, change or delete; newest first."""
    try:
        events = account.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    except ClientError:
        return []
    return [
        f"{each['LogicalResourceId']}: {each['ResourceStatusReason']}"
        for each in events
        if each["ResourceStatus"].endswith("FAILED") and each.get("ResourceStatusReason")
    ][:10]
