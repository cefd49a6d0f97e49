"""Debian's packages with a Docker engine.

`python3 -m localcloud.machine.docker_packages` installs them if there is no Docker. The set-up runs it while it
installs Python's packages, so it needs none of these. A failure is silent: `docker_engine` tries again.
"""

import contextlib
import os
from pathlib import Path

from localcloud.errors import CloudError
from localcloud.machine import debian

# Newer Debian releases have the command line in a package of its own. Without systemd, cgroupfs-mount is
# needed.
PACKAGES = ("docker.io", "docker-cli", "iptables", "ca-certificates", "cgroupfs-mount")
SOCKET = Path("/var/run/docker.sock")


def are_needed() -> bool:
    """Whether this machine has no Docker, and its user may install one."""
    there = (
        os.environ.get("DOCKER_HOST") or SOCKET.exists() or debian.which("docker") or debian.which("dockerd")
    )
    return not there and debian.is_debian() and debian.as_root() is not None


def main() -> None:
    log = Path(os.environ.get("PORTCALL_STATE_DIR", ".portcall")) / "logs" / "docker.log"
    if are_needed():
        with contextlib.suppress(CloudError):
            debian.install(PACKAGES, log=log, progress=lambda _: None)


if __name__ == "__main__":
    main()
