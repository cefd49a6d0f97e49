"""Where a Docker engine may listen on this machine, and whether one answers there."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import docker
import requests
from docker.errors import DockerException

DEFAULT_HOST = "unix:///var/run/docker.sock"
ANSWER_TIMEOUT = 5


def hosts() -> list[str]:
    """The hosts at which an engine may be, in the order to try; never empty."""
    if named := os.environ.get("DOCKER_HOST"):
        return [named]
    home = Path.home()
    sockets = [
        Path(os.environ.get("XDG_RUNTIME_DIR", "/run/user/none")) / "docker.sock",
        home / ".docker/run/docker.sock",
        home / ".colima/default/docker.sock",
        home / ".orbstack/run/docker.sock",
    ]
    found = [f"unix://{path}" for path in sockets if path.exists()]
    context = _context_host()
    return list(dict.fromkeys([*([context] if context else []), DEFAULT_HOST, *found]))


def _context_host() -> str | None:
    """The socket of the command line's current context; one on another machine cannot reach our registry."""
    cli = shutil.which("docker")
    if cli is None:
        return None
    try:
        asked = subprocess.run([cli, "context", "inspect"], capture_output=True, timeout=ANSWER_TIMEOUT)
        host = str(json.loads(asked.stdout)[0]["Endpoints"]["docker"]["Host"])
    except (OSError, subprocess.TimeoutExpired, ValueError, LookupError, TypeError):
        return None
    return host if host.startswith(("unix://", "npipe://")) else None


def answer(host: str) -> str | None:
    """The version of the engine at `host`, or None if nothing there answers."""
    # The SDK does not close a socket that it could not connect.
    if host.startswith("unix://") and finding(host) != "mute":
        return None
    environment = {**os.environ, "DOCKER_HOST": host}
    try:
        client = docker.from_env(environment=environment, timeout=ANSWER_TIMEOUT)
        try:
            client.ping()
            return str(client.version()["Version"])
        finally:
            client.close()
    except (DockerException, requests.RequestException, OSError, ValueError, ImportError, KeyError):
        return None


def finding(host: str) -> str:
    """What is wrong with a local socket: missing, no permission, nothing listens, or no answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(ANSWER_TIMEOUT)
        try:
            probe.connect(host.removeprefix("unix://"))
        except PermissionError:
            return "forbidden"
        except FileNotFoundError:
            return "absent"
        except ConnectionRefusedError:
            return "deserted"
        except OSError:
            return "mute"
    return "mute"
