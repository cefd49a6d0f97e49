"""Limits per repository, so that one team cannot use up what all share. Normal use stays far below."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from deployer.domain.errors import AppLimitError, PreviewLimitError

# Of one repository: deployments at once, not counting restarts, and mails in an hour of the clock.
MAX_DEPLOYMENTS = 20
MAX_MAILS_PER_HOUR = 60
# Of the whole install: test emails that an operator asks for.
MAX_TEST_MAILS_PER_HOUR = 10
HOUR_SECONDS = 3600
# The sets of apps that have a slot. The prefix of a repository's set of previews cannot be mistaken for
# another. The values are as 0.1.0 stored them.
PREVIEWS, LASTING = "apps", "lasting"
MAX_NAMED = 20
# Errors for a limit that is reached. Only a repository's first one in an hour is mailed; the mail says so.
REFUSALS = ("AppLimitError", "PreviewLimitError", "DeploymentLimitError")
FIRST_OF_THE_HOUR = (
    "Portcall sends this email at most once an hour for each repository. "
    "Further refusals for the same reason are not mailed; `portcall history` shows them."
)


def previews_of(repository: str) -> str:
    """The set of a repository's previews that have a slot."""
    return f"of {repository}"


def slots(
    repository: str, *, preview: bool, max_apps: int, max_previews: int, max_previews_per_repository: int
) -> dict[str, int]:
    """The sets in which an app needs a slot, and the limit of each."""
    if not preview:
        return {LASTING: max_apps}
    return {PREVIEWS: max_previews, previews_of(repository): max_previews_per_repository}


def is_full(taken: Mapping[str, Collection[str]], most: Mapping[str, int], app: str) -> bool:
    """Whether there is no free slot for an app that has none."""
    first = next(iter(most))
    if app in taken.get(first, ()):
        return False
    return any(len(taken.get(name, ())) >= limit for name, limit in most.items())


def refusal(taken: Mapping[str, Collection[str]], most: Mapping[str, int]) -> AppLimitError | PreviewLimitError:
    """The error for an app that got no slot; `taken` has the apps of each set, `most` the limits."""
    full = next(name for name, limit in most.items() if len(taken.get(name, ())) >= limit)
    apps = sorted(taken[full])
    named = ", ".join(apps[:MAX_NAMED]) + (", ..." if len(apps) > MAX_NAMED else "")
    # A preview that is down keeps its slot, and so does an app that an operator stopped.
    these = f"{most[full]}). These count, running or not: {named}."
    if full == LASTING:
        return AppLimitError(f"The limit on apps is reached (MaxApps: {these}")
    if full == PREVIEWS:
        return PreviewLimitError(f"The limit on previews is reached (MaxPreviews: {these}")
    return PreviewLimitError(
        f"The limit on previews of one repository is reached (MaxPreviewsPerRepository: {these}"
    )


def hour(now: float) -> int:
    """The hour of the clock, in hours since 1970; `now` in UNIX seconds."""
    return int(now) // HOUR_SECONDS


def end_of_hour(now: float) -> str:
    """`14:00 UTC`: when the hour of the clock is over."""
    return datetime.fromtimestamp((hour(now) + 1) * HOUR_SECONDS, UTC).strftime("%H:%M UTC")
