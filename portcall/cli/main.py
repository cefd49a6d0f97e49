"""`portcall`: the command line's entry point."""

import atexit
import gc
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from localcloud.errors import CloudError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# In the order of the help. Each command's module and function have its name. The help texts are here, so that
# the help and completion import no command.
COMMANDS = {
    "status": "the state and the URL of each app",
    "history": "the deployments of an app, newest first",
    "show": "one deployment: why it failed, its phases, its log",
    "wait": "wait until a pushed image is live or has failed",
    "watch": "the deployments in progress, live",
    "logs": "the log of an app",
    "open": "open an app in the browser",
    "plan": "what a push of an image would do, and what it would cost",
    "deploy": "deploy the image of a tag again",
    "rollback": "go back to a version that was live, and pin the app to it",
    "resume": "end a rollback, and deploy the newest push",
    "restart": "run the same version as a new task",
    "stop": "stop an app",
    "start": "start an app with its newest push",
    "end": "remove an app or a preview until its next push",
    "secrets": "an app's variables in Parameter Store: list, set, unset, import",
    "notify": "send a test email: notify test",
    "console": "a web page with all apps, live",
    "doctor": "what is wrong, and what to do",
    "install": "install the stack in your AWS account",
    "upgrade": "update the stack to the version of this command",
    "uninstall": "delete the stack and all that it runs",
    "login": "log Docker in to the registry",
    "completion": "a script that completes commands and apps in your shell",
    "up": "start the embedded cloud and install the stack",
    "down": "stop the embedded cloud",
    "env": "point the AWS CLI, boto3 and SAM at the embedded cloud",
    "inbox": "the emails that the embedded cloud has sent",
    "demo": "everything from push to email, once, on this machine",
    "verify-aws": "test Portcall in your AWS account, then delete what that made",
}
# Not in the help; they only explain what to use instead.
HIDDEN = ("scale",)
# A package that only the extra `local` installs, and the commands that need the extra.
EXTRA_HAS = "ministack"
NEEDS_EXTRA = {"up", "down", "demo", "verify-aws"}
EXTRA_MISSING = "(needs the extra portcall[local])"
# From the repository, because the embedded cloud installs the stack from there.
EXTRA = "pip install --editable '.[local]'"


# As shells report a program that Ctrl-C ended: 128 plus the number of the signal.
INTERRUPTED = 130


class Commands(click.Group):
    """Imports a command when it is used: without the extra, the embedded cloud is not installed."""

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

    def invoke(self, ctx: click.Context) -> object:
        """Give Ctrl-C, also at a question, its own exit code."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, EOFError, click.Abort):
            click.echo("Interrupted.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_texts().items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        # Imported here: nothing else needs it.
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=text) for name, text in _texts().items() if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)


def _texts() -> dict[str, str]:
    lacking = NEEDS_EXTRA if not _has_extra() else set()
    return {name: EXTRA_MISSING if name in lacking else text for name, text in COMMANDS.items()}


def _has_extra() -> bool:
    try:
        return find_spec(EXTRA_HAS) is not None
    except ModuleNotFoundError:
        return False


def _not_installed(name: str) -> click.Command:
    """A substitute for a command whose packages of the extra `local` are missing."""
    anything = {"ignore_unknown_options": True, "allow_extra_args": True}

    @click.command(name, help=EXTRA_MISSING, short_help=EXTRA_MISSING, context_settings=anything)
    def command() -> None:
        raise CloudError(f"`portcall {name}` needs the extra `local`. In Portcall's repository, run: {EXTRA}")

    return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="portcall")
def cli() -> None:
    """Push an image and get its URL by email.

    It works with an install in AWS, or with the embedded cloud on this machine.

    Exit codes: 0 yes, 1 no, 2 usage, 3 superseded, 4 not known in time, 5 no such thing, 6 not allowed.
    """


# botocore imports this, and with it pyOpenSSL, only to check whether urllib3 uses pyOpenSSL. It does not.
UNUSED = "urllib3.contrib.pyopenssl"


def main() -> None:
    """Run the command line. Errors that a user can fix are reported as a sentence, not as a traceback."""
    # A command ends before much of what it loads is garbage, and at its end the system frees all of it.
    gc.set_threshold(50_000, 20, 20)
    atexit.register(gc.freeze)
    sys.modules.setdefault(UNUSED, None)  # type: ignore[arg-type]
    try:
        cli(standalone_mode=True)
    except CloudError as error:
        _fail(str(error))
    except OSError as error:
        # A full disk, a read-only folder, and so on.
        place = f" ({error.filename})" if error.filename else ""
        _fail(f"{error.strerror or error}{place}. Fix that, then run the command again.")


def _fail(message: str) -> None:
    # Imported here: rich takes longer to import than the help to print.
    from portcall.core.terminal import fail

    fail(message)
    sys.exit(1)
