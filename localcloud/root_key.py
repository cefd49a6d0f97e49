"""The secret of the account's root user: new at each start, and readable only by its owner."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

FILE = "root-key"


def make(state_dir: Path) -> str:
    """Write a new secret into the state folder and return it. Raises OSError."""
    make_private(state_dir)
    secret = secrets.token_urlsafe(30)
    file = state_dir / FILE
    # Created, not opened: an existing file may be another user's, or a link.
    with contextlib.suppress(FileNotFoundError):
        file.unlink()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(secret)
    return secret


def read(state_dir: Path) -> str:
    """The secret of the running cloud, '' if none was started."""
    try:
        return (state_dir / FILE).read_text()
    except FileNotFoundError:
        return ""


def forget(state_dir: Path) -> None:
    """Delete the secret, after its cloud has ended."""
    (state_dir / FILE).unlink(missing_ok=True)


def make_private(folder: Path) -> None:
    """Create a folder that other users cannot read. A shared folder, such as /tmp, is not changed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid == os.geteuid() and not found.st_mode & stat.S_ISVTX:
        folder.chmod(0o700)
