"""CloudFormation's change sets, and the events while they are executed."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from portcall.core.target import Target
from portcall.core.trouble import Trouble, code_of

NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")
# Creating a change set takes CloudFormation some seconds.
PATIENT = Config(read_timeout=60, retries={"mode": "standard", "max_attempts": 4})
STACK = "AWS::CloudFormation::Stack"
# The reason of resources that were cancelled because another one failed.
NOT_THE_REASON = ("Resource creation cancelled", "Resource update cancelled")


@dataclass(frozen=True)
class Change:
    """A change of one resource; `replaced` says that a new one replaces it."""

    action: str
    name: str
    kind: str
    replaced: bool


@dataclass(frozen=True)
class Event:
    """An event of a resource or of the stack."""

    id: str
    name: str
    kind: str
    status: str
    reason: str
    at: float

    @property
    def failed(self) -> bool:
        """Whether it is a failure."""
        return self.status.endswith("_FAILED") and not self.reason.startswith(NOT_THE_REASON)


def describe(target: Target, stack: str) -> dict[str, Any] | None:
    """The stack by name or id, None if there is none. A deleted stack can be found by its id."""
    try:
        return dict(target.client("cloudformation", PATIENT).describe_stacks(StackName=stack)["Stacks"][0])
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


class ChangeSet:
    """A change set of the target's stack.

    If an answer is lost, botocore sends the call again. An existing change set of that name is then the same
    one.
    """

    def __init__(self, target: Target, kind: str, url: str, parameters: list[dict[str, Any]]) -> None:
        self._cloudformation, self._pause = target.client("cloudformation", PATIENT), _pause(target)
        more = {"OnStackFailure": "DELETE"} if kind == "CREATE" else {}
        names = {"StackName": target.stack, "ChangeSetName": f"portcall-{uuid.uuid4().hex}"}
        try:
            self._cloudformation.create_change_set(
                **names,
                ClientToken=names["ChangeSetName"],
                ChangeSetType=kind,
                TemplateURL=url,
                Parameters=parameters,
                Capabilities=["CAPABILITY_IAM"],
                **more,
            )
        except ClientError as error:
            if code_of(error) != "AlreadyExistsException":
                raise
        made = self._cloudformation.describe_change_set(**names)
        self._id, self.stack_id, self._kind = made["ChangeSetId"], str(made["StackId"]), kind

    def changes(self) -> list[Change]:
        """The changes, empty if there are none. Raises Trouble with the reason if CloudFormation refuses."""
        while True:
            found = self._cloudformation.describe_change_set(ChangeSetName=self._id)
            if found["Status"] == "CREATE_COMPLETE":
                return list(self._all(found))
            if found["Status"] == "FAILED":
                reason = found.get("StatusReason", "")
                self.discard()
                if any(each in reason for each in NOTHING_TO_DO):
                    return []
                raise Trouble(f"CloudFormation refuses the change: {reason}")
            time.sleep(self._pause)

    def _all(self, page: dict[str, Any]) -> Iterator[Change]:
        while True:
            for each in page.get("Changes", []):
                change = each["ResourceChange"]
                replaced = change.get("Replacement") in ("True", "Conditional") and change["Action"] == "Modify"
                yield Change(change["Action"], change["LogicalResourceId"], change["ResourceType"], replaced)
            if not page.get("NextToken"):
                return
            page = self._cloudformation.describe_change_set(ChangeSetName=self._id, NextToken=page["NextToken"])

    def execute(self) -> None:
        """Start the execution; `follow` reports the progress."""
        self._cloudformation.execute_change_set(ChangeSetName=self._id, ClientRequestToken=uuid.uuid4().hex)

    def discard(self) -> None:
        """Delete it, and the stack in review that it would have created."""
        self._cloudformation.delete_change_set(ChangeSetName=self._id)
        if self._kind == "CREATE":
            self._cloudformation.delete_stack(StackName=self.stack_id)


def given(values: Mapping[str, str], kept: list[str]) -> list[dict[str, Any]]:
    """The parameters of the request: those with a new value, and those that keep theirs."""
    named = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    return named + [{"ParameterKey": name, "UsePreviousValue": True} for name in kept if name not in values]


def events(target: Target, stack: str) -> list[Event]:
    """All events of a stack, oldest first."""
    pages = (
        target.client("cloudformation", PATIENT)
        .get_paginator("describe_stack_events")
        .paginate(StackName=stack)
    )
    found = [
        Event(
            each["EventId"],
            each["LogicalResourceId"],
            each.get("ResourceType", ""),
            each["ResourceStatus"],
            each.get("ResourceStatusReason", ""),
            each["Timestamp"].timestamp(),
        )
        for page in pages
        for each in page["StackEvents"]
    ]
    return found[::-1]


def follow(
    target: Target, stack: str, seen: set[str], report: Callable[[Event], None]
) -> tuple[str, list[Event]]:
    """Report each event that is not in `seen` until the end; return the status and the new events.

    CloudFormation starts with a delay, and deletes a failed creation with another delay. So it has ended once
    it has started, and two reads in a row show the same final status.
    """
    known: list[Event] = []
    before = ""
    while True:
        status = str((describe(target, stack) or {}).get("StackStatus", "DELETE_COMPLETE"))
        new = [each for each in events(target, stack) if each.id not in seen]
        for event in new:
            seen.add(event.id)
            report(event)
        known += new
        has_begun = any(each.kind == STACK for each in known) or status == "DELETE_COMPLETE"
        if has_begun and not new and status == before and not status.endswith("_IN_PROGRESS"):
            return status, known
        before = status
        time.sleep(_pause(target))


def first_reason(known: list[Event]) -> str:
    """The reason of the first failure; the others were cancelled because of it."""
    return next((f"{each.name} ({each.kind}): {each.reason}" for each in known if each.failed), "")


def _pause(target: Target) -> float:
    return 0.5 if target.endpoint else 3.0
