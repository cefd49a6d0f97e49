"""What to do if there is no Docker engine and none can be started here."""

import grp
import platform
import shutil
from pathlib import Path

from localcloud.machine import debian, docker_hosts


def is_systemd() -> bool:
    """Whether systemd starts services on this machine."""
    return Path("/run/systemd/system").is_dir()


def elsewhere() -> str:
    """On a machine without Linux."""
    if platform.system() == "Windows":
        return "No Docker engine answers. Run Portcall inside WSL 2, or start Docker Desktop, then try again."
    docker_desktop = "Docker Desktop (or colima, OrbStack)"
    if shutil.which("docker"):
        return f"No Docker engine answers. Start {docker_desktop}, then run this again."
    return f"There is no Docker here. Install {docker_desktop}, start it, then run this again."


def forbidden() -> str:
    """If this user may not use the socket."""
    name = debian.user()
    try:
        member = name in grp.getgrnam("docker").gr_mem
    except KeyError:
        member = False
    if member:
        return (
            "Docker runs, and you are in the docker group, but this shell does not know it yet. "
            "Log out and in again (or run `newgrp docker`), then run this again."
        )
    return (
        f"Docker runs, but you have no permission to use its socket. Run `sudo usermod -aG docker {name}`, "
        f"log out and in again (or run `newgrp docker`), then run this again."
    )


def powerless(installed: bool) -> str:
    """If starting or installing it needs root."""
    start = "sudo systemctl start docker" if is_systemd() else "sudo dockerd"
    if installed:
        deserted = docker_hosts.finding(docker_hosts.DEFAULT_HOST) == "deserted"
        where = " There is a socket, but no daemon behind it." if deserted else ""
        return (
            f"Docker is installed, but does not run.{where} Starting it needs root: "
            f"`{start}`, then run this again."
        )
    if debian.is_debian():
        return (
            "There is no Docker here, and installing it needs root. Run `sudo apt-get install docker.io` and "
            f"`sudo usermod -aG docker {debian.user()}`, log out and in again, then run this again."
        )
    return "There is no Docker here. Install Docker Engine and start it, then run this again."
