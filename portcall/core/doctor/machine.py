"""Checks of this machine: Docker, its login to the registry, and the clock."""

from dataclasses import dataclass

from portcall.core.doctor.judgement import Judgement, failed, ok, unknown, warning

# In seconds. AWS refuses requests that are signed five minutes early or late.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
REFUSED_SKEW = 300
LARGE_SKEW = 60
SOON = 15 * 60


@dataclass(frozen=True)
class Login:
    """Docker's login to a registry.

    `helper` is the credential helper, '' if none; `expires_at` (UNIX seconds) is 0 if unknown.
    """

    noted: bool
    helper: str = ""
    expires_at: int = 0


def docker(version: str, trouble: str) -> Judgement:
    """`version` is the engine's, '' if none answers; then `trouble` says why."""
    if version:
        return ok(f"Docker {version} answers.")
    return warning(f"Docker does not answer: {trouble}", "Start Docker if you want to push from this machine.")


def login(found: Login, registry: str, now: float) -> Judgement:
    """Whether `docker push` to the registry has valid credentials."""
    again = "Run: portcall login"
    if found.helper == "ecr-login":
        return ok(f"Docker logs in to {registry} automatically (docker-credential-ecr-login).")
    if not found.noted:
        return warning(f"Docker is not logged in to {registry}.", again)
    if not found.expires_at:
        kept = f" (kept by {found.helper})" if found.helper else ""
        return unknown(
            f"Docker has a login for {registry}{kept}; whether it is still valid is not known.", again
        )
    left = found.expires_at - now
    if left <= 0:
        return warning(f"Docker's login for {registry} has expired.", again)
    said = f"Docker is logged in to {registry}, for {left / 3600:.0f} h more."
    return (
        warning(f"Docker's login for {registry} expires in {left / 60:.0f} min.", again)
        if left < SOON
        else ok(said)
    )


def clock(skew: float) -> Judgement:
    """`skew` is by how many seconds this machine's clock is ahead of AWS's."""
    way = "ahead of" if skew > 0 else "behind"
    if abs(skew) >= REFUSED_SKEW:
        return failed(
            f"The clock is {abs(skew):.0f} s {way} AWS's. AWS refuses requests that are off by {REFUSED_SKEW} "
            "s.",
            "Set the clock, if possible with NTP: timedatectl set-ntp true",
        )
    if abs(skew) >= LARGE_SKEW:
        return warning(f"The clock is {abs(skew):.0f} s {way} AWS's.", "Set the clock, if possible with NTP.")
    return ok("The clock is right.")
