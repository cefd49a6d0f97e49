"""Installs packages on Debian and Ubuntu, if that is possible."""

import getpass
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from localcloud.processes import run

LISTS = Path("/var/lib/apt/lists")
FRESH_SECONDS = 3600
# A user's PATH often lacks the folders of dockerd and iptables.
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def is_debian() -> bool:
    """Whether this is Debian, Ubuntu, or another system with apt-get."""
    return platform.system() == "Linux" and which("apt-get") is not None


def is_root() -> bool:
    return os.geteuid() == 0


def user() -> str:
    return getpass.getuser()


def which(program: str) -> str | None:
    return shutil.which(program, path=PATH)


def as_root() -> list[str] | None:
    """The prefix of a command that needs root: nothing or `sudo -n`; None if root is not available."""
    if is_root():
        return []
    if which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo", "-n"]
    return None


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8"}


def known(package: str) -> bool:
    """Whether apt's present lists have this package."""
    found = subprocess.run(["apt-cache", "show", package], capture_output=True, env=environment())
    return found.returncode == 0


def _lists_are_fresh() -> bool:
    """Whether apt's package lists were updated within the hour."""
    return LISTS.is_dir() and time.time() - LISTS.stat().st_mtime < FRESH_SECONDS


def install(packages: Sequence[str], *, log: Path, progress: Callable[[str], None]) -> None:
    """Install the first package, and those of the others that this release has. Needs root.

    Raises CloudError with the end of apt-get's output; all of it is appended to `log`.
    """
    apt_get = [*(as_root() or []), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    apt_get += ["-o", "DPkg::Lock::Timeout=120"]
    log.parent.mkdir(parents=True, exist_ok=True)
    if not (_lists_are_fresh() and known(packages[0])):
        progress("Updating apt's package lists (apt-get update)")
        with log.open("ab") as output:
            # Not checked: a broken third-party source must not stop the install.
            subprocess.run([*apt_get, "update"], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    wanted = [packages[0], *filter(known, packages[1:])]
    progress(f"Installing {wanted[0]} (apt-get install {' '.join(wanted)})")
    run(
        [*apt_get, "install", "-y", "--no-install-recommends", *wanted],
        log=log,
        environment=environment(),
        folder=Path("/"),
        failed=f"apt-get could not install {' '.join(wanted)}.",
    )
