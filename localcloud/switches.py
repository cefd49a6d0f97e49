"""Switches for what AWS does only sometimes, or only in some accounts.

    PORTCALL_SWITCHES="late-events vcpus=2 lambda-concurrency=10" portcall up

What AWS always does has no switch; the embedded cloud always does it, too.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

VARIABLE = "PORTCALL_SWITCHES"


class UnknownSwitch(ValueError):
    """A word that names no switch, or has a missing or invalid number."""


@dataclass(frozen=True)
class Switches:
    """All are off by default; a switch is written with `-` for `_`."""

    # EventBridge delivers each event 0 to 3 seconds late, so their order changes.
    late_events: bool = False
    # EventBridge calls each target twice for one event.
    targets_twice: bool = False
    # For this many seconds, EC2 does not know a new network interface or security group.
    ec2_behind: float = 0.0
    # DescribeTasks and ListTasks show tasks as they were this many seconds ago, and no newer ones.
    tasks_behind: float = 0.0
    # The account's Fargate quota: RunTask above it answers 200, with a failure. 0 is no quota.
    vcpus: float = 0.0
    # How many functions run at once in the account; 0 is as many as the machine can run.
    lambda_concurrency: int = 0
    # In an account that never used ECS, its service-linked role is available this many seconds after the first
    # cluster.
    ecs_role_late: float = 0.0
    # The first call of a function in a VPC finds it inactive for this many seconds, as after idle weeks.
    idle_functions: float = 0.0


def parse(text: str) -> Switches:
    """Read `name` and `name=number` words. Raises UnknownSwitch, whose message lists the switches."""
    known = {each.name.replace("_", "-"): each for each in fields(Switches)}
    given: dict[str, bool | int | float] = {}
    for word in text.split():
        name, _, value = word.partition("=")
        field = known.get(name)
        if field is None:
            raise UnknownSwitch(f"there is no switch {name!r}; there are: {', '.join(known)}")
        kind: type[bool] | type[int] | type[float] = type(getattr(Switches(), field.name))
        if kind is bool and value:
            raise UnknownSwitch(f"{name} takes no number")
        try:
            given[field.name] = True if kind is bool else kind(value)
        except ValueError:
            raise UnknownSwitch(f"{name} takes a number, as in {name}=2") from None
        if given[field.name] < 0:
            raise UnknownSwitch(f"{name} takes no negative number")
    return Switches(**given)  # type: ignore[arg-type]
