"""Checks of an app: its state, image and secrets, and whether it can be reached."""

from collections.abc import Collection, Mapping

from portcall.core.doctor.judgement import Judgement, failed, ok, warning
from portcall.core.states import AppStatus

EVERYONE = "0.0.0.0/0"
# Parameter Store's default key, which needs no key policy.
OWN_KEYS = {"", "alias/aws/ssm"}


def state(status: AppStatus) -> Judgement:
    """The app's state in the ledger."""
    said = f"{status.app} is {status.state}. {status.note}".strip()
    if status.state in ("failed", "down"):
        return failed(said, f"Run: portcall show {status.app}")
    if status.state == "live":
        return ok(said)
    return warning(said, f"Run: portcall show {status.app}")


def image(exists: bool, digest: str) -> Judgement:
    """Whether the image of what serves still exists for a restart."""
    if exists:
        return ok(f"Its image {digest[:19]} is in ECR.")
    return failed(
        f"Its image {digest[:19]} is gone from ECR: if the app stops, it cannot be started again.",
        "Push it again, and check which lifecycle policy deletes it.",
    )


def secrets(asked: Collection[str], keys: Mapping[str, str]) -> Judgement:
    """Whether the parameters of the running version still exist, and which keys encrypt them."""
    if not asked:
        return ok("It has no secrets.")
    missing = sorted(name for name in asked if name not in keys)
    if missing:
        return failed(
            f"Its version was started with {', '.join(missing)}, which is gone: it cannot be started again.",
            "Put it back with portcall secrets set, or push a new version.",
        )
    foreign = sorted(name for name in asked if keys[name] not in OWN_KEYS)
    if foreign:
        return warning(
            f"Under a key of your own: {', '.join(foreign)}.",
            "The key's policy must let the stack's ExecutionRole decrypt.",
        )
    return ok(f"Its secrets are there: {', '.join(sorted(asked))}.")


def reachable(answered: bool, place: str, cidr: str) -> Judgement:
    """Whether this machine can connect to `host:port`; `cidr` says who may reach the apps."""
    allowed = "everyone" if cidr == EVERYONE else f"{cidr} only (AllowedCidr)"
    if answered:
        return ok(f"{place} can be reached from here; it is open to {allowed}.")
    if cidr != EVERYONE:
        return warning(
            f"{place} cannot be reached from here; it is open to {allowed}.",
            "Is this machine's address in that range? If not, deploy the stack with another AllowedCidr.",
        )
    return failed(
        f"{place} cannot be reached from here, though it is open to everyone.",
        "Is there a firewall in between? If not, the app no longer listens: portcall logs APP",
    )
