"""Checks of the install: stack, mails, queues, the sweep, and watched repositories."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from deployer.domain import patterns

from portcall.core.doctor.judgement import Judgement, failed, ok, warning

# In seconds: two sweeps.
SWEEP_IS_LATE = 600
PENDING = "PendingConfirmation"
RECREATE = (
    "Delete it, and install again: portcall uninstall and portcall install, or from a clone: "
    "sam delete && sam build && sam deploy"
)
SUBSCRIBE = (
    "To subscribe: portcall upgrade --set Email=you@example.com, or from a clone: "
    "sam deploy --parameter-overrides Email=you@example.com"
)


@dataclass(frozen=True)
class Subscription:
    """A subscription: the endpoint, the protocol, and whether it was confirmed."""

    protocol: str
    endpoint: str
    confirmed: bool


def stack(name: str, status: str) -> Judgement:
    """`status` is CloudFormation's."""
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        return failed(f"The stack {name} is {status}.", RECREATE)
    if status.endswith("FAILED"):
        return failed(f"The stack {name} is {status}.", "Its events in the CloudFormation console say why.")
    if status.endswith("IN_PROGRESS"):
        return warning(f"The stack {name} is being changed ({status}).", "Wait until that is done.")
    if status == "UPDATE_ROLLBACK_COMPLETE":
        return warning(
            f"The last update of the stack {name} failed and was rolled back.",
            "Its events in the CloudFormation console say why.",
        )
    return ok(f"The stack {name} is there.")


def version(installed: str, own: str) -> Judgement:
    """The stack's version, '' if it does not say, and the command line's."""
    if not installed:
        return warning("The stack has no version: it is an old one.", f"Upgrade it to {own}.")
    if _parts(installed) < _parts(own):
        return warning(f"The stack is {installed}, and this command line {own}.", "Upgrade the stack.")
    if _parts(installed) > _parts(own):
        return warning(f"The stack is {installed}, and this command line {own}.", "Upgrade the command line.")
    return ok(f"Stack and command line are {own}.")


def dashboard(url: str) -> Judgement:
    """`url` is '' if it is off, or if the stack is too old to have one."""
    return ok(url) if url else ok("There is none: the parameter Dashboard is off, or the stack is an old one.")


def _parts(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]


def mails(subscriptions: Sequence[Subscription]) -> Judgement:
    """Whether anybody gets the mails."""
    pending = [each for each in subscriptions if not each.confirmed]
    if pending:
        who = ", ".join(each.endpoint for each in pending)
        return failed(
            f"{who} has not confirmed yet, so no email goes there.",
            "Click the link in the email from AWS (AWS Notifications). It is valid for two days. After that, "
            "run: aws sns subscribe, or change Email.",
        )
    if not subscriptions:
        return warning(
            "Nobody is subscribed to the topic, so there are no emails.",
            SUBSCRIBE,
        )
    return ok("Emails go to " + ", ".join(f"{each.endpoint} ({each.protocol})" for each in subscriptions) + ".")


def dead_letters(queues: Mapping[str, int]) -> Judgement:
    """How many events each dead-letter queue holds."""
    held = {name: count for name, count in queues.items() if count}
    if not held:
        return ok(f"The {len(queues)} dead-letter queues are empty.")
    named = ", ".join(f"{count} in {name}" for name, count in sorted(held.items()))
    return failed(
        f"EventBridge could not deliver some events: {named}.",
        "The sweep repairs what was missed. Each message has an ERROR_MESSAGE. Then purge the queue.",
    )


def sweep(began_at: int, installed_at: float, now: float) -> Judgement:
    """Whether sweeps run: when the last began (0 for never) and when the stack was created (UNIX seconds)."""
    late = "Read the log of ReconcileFunction, and check that its schedule is enabled."
    if not began_at:
        if now - installed_at < SWEEP_IS_LATE:
            return ok("The first sweep starts within five minutes of the install.")
        return failed("There was no sweep yet, so nothing replaces lost events.", late)
    age = now - began_at
    if age > SWEEP_IS_LATE:
        return failed(
            f"The last sweep began {age / 60:.0f} min ago, but there should be one every five minutes.", late
        )
    return ok(f"The last sweep began {max(0, age):.0f} s ago.")


def events(rules: Mapping[str, bool], off_on_purpose: Collection[str], machine: str) -> Judgement:
    """Whether each rule is enabled, by its logical name, and the state machine's status."""
    off = sorted(name for name, enabled in rules.items() if not enabled and name not in off_on_purpose)
    if off:
        return failed(
            f"Rules of EventBridge are disabled: {', '.join(off)}.",
            "Enable them in the EventBridge console, or with aws events enable-rule.",
        )
    if machine != "ACTIVE":
        return failed(f"The state machine is {machine}.", "Deploy the stack again: sam deploy")
    return ok(f"The state machine is active, and its {len(rules)} rules are enabled.")


def repositories(there: Collection[str], watched: Sequence[str]) -> Judgement:
    """The repositories of the registry, and the patterns of those that are watched."""
    matching = sorted(name for name in there if patterns.match(name, watched))
    named = ", ".join(each for each in watched if each)
    if not matching:
        return failed(
            f"No repository is called {named}, so no push can be deployed.",
            "Create one: aws ecr create-repository --repository-name NAME",
        )
    some = ", ".join(matching[:5]) + (", ..." if len(matching) > 5 else "")
    return ok(f"Pushes are watched in {some}.")
