"""The images of this machine, as Docker describes them."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any

ANSWERS_WITHIN_SECONDS = 15


@dataclass(frozen=True)
class LocalImage:
    """`config` is like the configuration that a registry has; `digests` are `repository@sha256:...`."""

    config: dict[str, Any]
    digests: tuple[str, ...]
    bytes: int


def find(name: str) -> tuple[LocalImage | None, str]:
    """The image of that name, or None and the reason."""
    command = ["docker", "image", "inspect", "--", name]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=ANSWERS_WITHIN_SECONDS)
    except FileNotFoundError:
        return None, "there is no docker command"
    except subprocess.TimeoutExpired:
        return None, f"Docker did not answer within {ANSWERS_WITHIN_SECONDS} s"
    if ended.returncode:
        missing = "no such image" in ended.stderr.lower()
        return None, "Docker has no such image" if missing else ended.stderr.strip()[:200].rstrip(".")
    (found,) = json.loads(ended.stdout)
    return _image(found), ""


def _image(found: dict[str, Any]) -> LocalImage:
    """https://docs.docker.com/reference/api/engine/version/v1.51/#tag/Image/operation/ImageInspect"""
    platform = {name: found.get(name.title()) or "" for name in ("os", "architecture", "variant")}
    config = platform | {"config": found.get("Config") or {}}
    return LocalImage(config, tuple(found.get("RepoDigests") or ()), int(found.get("Size") or 0))
