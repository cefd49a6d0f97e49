"""The CPU architectures that this machine can run: its own, and those with an emulator in the kernel."""

import platform
import struct
from pathlib import Path

HANDLERS = Path("/proc/sys/fs/binfmt_misc")
# `e_machine` of an ELF file.
MACHINES = {"amd64": 62, "arm64": 183}


def host() -> str:
    """The CPU architecture of this machine, in the words of images."""
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "amd64"


def runs(architecture: str) -> bool:
    """Whether containers here run programs for `amd64` or `arm64`.

    The emulator must be loaded already (flag F), for it is not in the containers.
    """
    if architecture == host():
        return True
    magic = struct.pack("<HH", 2, MACHINES[architecture]).hex()
    handlers = [each.read_text() for each in HANDLERS.glob("*") if each.name not in ("register", "status")]
    return any(
        text.startswith("enabled") and "F" in text.partition("flags:")[2].split()[0] and magic in text
        for text in handlers
    )
