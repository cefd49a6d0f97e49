"""The embedded cloud's address, account and state folder."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from localcloud import root_key
from localcloud.processes import CloudError

PROJECT = Path(__file__).resolve().parents[1]
STACK = "portcall"
INBOX_OWNER = "you@example.com"


def require_repository() -> None:
    """Raise CloudError if the repository is missing, because then there is nothing to build."""
    if not (PROJECT / "template.yaml").exists():
        raise CloudError(
            "This needs Portcall's repository, which has the template and the functions. "
            "Clone it, and run there: make tools"
        )


@dataclass(frozen=True)
class CloudSettings:
    """`account` has 12 digits; `state_dir` holds all that the cloud writes, mails included."""

    port: int = 4566
    account: str = "123456789012"
    region: str = "us-east-1"
    state_dir: Path = PROJECT / ".portcall"

    @property
    def endpoint(self) -> str:
        """The address of every AWS API, e.g. `http://127.0.0.1:4566`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def registry(self) -> str:
        """The beginning of image names. Docker uses no TLS for `localhost`."""
        return f"localhost:{self.port}"

    @property
    def inbox(self) -> Path:
        """The Maildir of the mails."""
        return self.state_dir / "inbox"

    @property
    def logs(self) -> Path:
        """The folder for the logs of the cloud and of the tools that it calls."""
        return self.state_dir / "logs"

    @property
    def secret(self) -> str:
        """The secret of the account's root user, new at each start; '' if no cloud runs."""
        return root_key.read(self.state_dir)

    def environment(self) -> dict[str, str]:
        """The environment variables for boto3, the AWS CLI and SAM. The root user's key id is the account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def process_environment(self) -> dict[str, str]:
        """The environment for a tool that we start: ours, but of AWS's variables only `environment()`."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**inherited, **self.environment(), "SAM_CLI_TELEMETRY": "0", "AWS_PAGER": ""}

    def save(self) -> None:
        """Store the address for other commands."""
        root_key.make_private(self.state_dir)
        document = {"port": self.port, "account": self.account, "region": self.region}
        self._file.write_text(json.dumps(document) + "\n")

    def forget(self) -> None:
        """Remove the stored address after the cloud has ended."""
        self._file.unlink(missing_ok=True)
        root_key.forget(self.state_dir)

    @property
    def _file(self) -> Path:
        return self.state_dir / "cloud.json"

    @classmethod
    def load(cls) -> "CloudSettings":
        """The settings of the cloud that was started last, else the defaults.

        `PORTCALL_STATE_DIR` sets the folder, so that several clouds can run side by side.
        """
        state_dir = Path(os.environ.get("PORTCALL_STATE_DIR") or cls.state_dir).resolve()
        try:
            noted = json.loads((state_dir / "cloud.json").read_text())
            return cls(int(noted["port"]), str(noted["account"]), str(noted["region"]), state_dir)
        except (OSError, ValueError, KeyError, TypeError):
            return cls(state_dir=state_dir)
