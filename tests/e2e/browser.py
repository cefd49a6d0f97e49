"""A real Chromium, headless; installed where that can be done without asking."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from localcloud.machine import debian

SHELL = "chromium-headless-shell"
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium(folder: Path) -> str:
    """The program; installs Debian's package if there is none."""
    found = debian.which("chromium") or debian.which("google-chrome") or debian.which("chromium-browser")
    if not found and debian.is_debian() and debian.as_root() is not None:
        debian.install(["chromium"], log=folder / "chromium-install.log", progress=print)
        found = debian.which("chromium")
    assert found, "This test needs a Chromium: apt-get install chromium"
    return found


def headless_shell(folder: Path) -> str:
    """Chromium without what only windows need, which takes a third of the CPU; a whole one if there is no such package."""
    if not debian.which(SHELL) and debian.is_debian() and debian.as_root() is not None:
        debian.install(["chromium", SHELL], log=folder / "chromium-install.log", progress=print)
    return debian.which(SHELL) or chromium(folder)


@contextlib.contextmanager
def opened(url: str, folder: Path, *options: str) -> Iterator[None]:
    """A page, open in a browser with a profile of its own."""
    command = [chromium(folder), *QUIET, f"--user-data-dir={folder / 'profile'}", *options, url]
    with (folder / "chromium.log").open("wb") as log:
        # With a pipe for its own use, else it prints the page and ends once that is loaded.
        process = subprocess.Popen([*command, "--remote-debugging-port=0"], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def text_of(url: str, folder: Path, *options: str) -> str:
    """What a page says to somebody who types its address."""
    command = [chromium(folder), *QUIET, f"--user-data-dir={folder / 'typed'}", *options, "--dump-dom", url]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
