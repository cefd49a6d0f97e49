"""The settings of one embedded cloud."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from localcloud.switches import Switches


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``lambda_python`` is an interpreter that has what AWS's Lambda runtime has (boto3), and no more.

    ``root_secret`` is the secret of the account's root user, whose key id is the account.
    """

    port: int
    account: str
    region: str
    state_dir: Path
    lambda_python: Path
    root_secret: str
    smtp_host: str = ""
    switches: Switches = field(default_factory=Switches)
    # The folder for the calls that IAM allowed, None for none.
    decisions: Path | None = None

    @property
    def registry(self) -> str:
        """The registry's host, as the Docker daemon names it (loopback needs no TLS)."""
        return f"localhost:{self.port}"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"
