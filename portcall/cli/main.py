"""`portcall`: the embedded cloud on a laptop, and what happens in it."""

import sys
from importlib import import_module

import click

from localcloud.processes import CloudError
from portcall.cli.terminal import fail

# In the order of the help; the module and the function of each have its name.
COMMANDS = (
    "status",
    "history",
    "show",
    "wait",
    "logs",
    "open",
    "deploy",
    "rollback",
    "resume",
    "restart",
    "stop",
    "start",
    "end",
    "console",
    "doctor",
    "install",
    "upgrade",
    "uninstall",
    "up",
    "down",
    "env",
    "inbox",
    "demo",
    "verify-aws",
)
# Said in a sentence to who tries it, and not in the help.
HIDDEN = ("scale",)
# From the repository, for that has what is installed in the cloud, too.
EXTRA = "pip install --editable '.[local]'"


class Commands(click.Group):
    """Imports a command when it is asked for: the command line alone comes without the embedded cloud."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in (*COMMANDS, *HIDDEN):
            return None
        name = cmd_name.replace("-", "_")
        try:
            command: click.Command = getattr(import_module(f"portcall.cli.{name}"), name)
        except ModuleNotFoundError as missing:
            if (missing.name or "").partition(".")[0] in ("portcall", "localcloud"):
                raise
            return _not_installed(cmd_name)
        return command


def _not_installed(name: str) -> click.Command:
    """A command in the place of one that needs packages of the extra `local`."""
    help_text = "(needs the extra portcall[local])"
    anything = {"ignore_unknown_options": True, "allow_extra_args": True}

    @click.command(name, help=help_text, short_help=help_text, context_settings=anything)
    def command() -> None:
        raise CloudError(f"`portcall {name}` needs the extra `local`. In Portcall's repository, run: {EXTRA}")

    return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="portcall")
def cli() -> None:
    """Push an image; its URL is in your inbox: in your AWS account, or on this machine without one.

    Exit codes: 0 yes, 1 no, 2 usage, 3 superseded, 4 not known in time, 5 no such thing, 6 not allowed.
    """


def main() -> None:
    """Run the command line; what a person can mend is told in a sentence, not in a traceback."""
    try:
        cli(standalone_mode=True)
    except CloudError as error:
        fail(str(error))
        sys.exit(1)
    except OSError as error:
        # A full disk, a folder that may not be written: whatever the file system says.
        place = f" ({error.filename})" if error.filename else ""
        fail(f"{error.strerror or error}{place}. Fix that, then run the command again.")
        sys.exit(1)
