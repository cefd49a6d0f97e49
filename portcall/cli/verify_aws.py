"""`portcall verify-aws`: checks in AWS itself what AWS does not document."""

import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from rich.status import Status
from rich.text import Text

from localcloud.settings import PROJECT, CloudSettings, require_repository
from portcall.core.terminal import Terminal, fail
from portcall.verify import cost, leftovers, pace, preflight, report, runner, state
from portcall.verify.account import Account, log_in
from portcall.verify.check import Check
from portcall.verify.checks import CHECKS
from portcall.verify.errors import CannotStartError
from portcall.verify.images import EXAMPLE, Images, base_of
from portcall.verify.run import Run
from portcall.verify.tools import Tools

MARKS = {
    state.SAME: Text("✓", style="green"),
    state.DIFFERENT: Text("≠", style="yellow"),
    state.FAILED: Text("✗", style="red"),
    state.NOT_RUN: Text("-", style="dim"),
}
# sam must not ask questions or send telemetry.
TOOLS_ENVIRONMENT = {"SAM_CLI_TELEMETRY": "0", "AWS_PAGER": "", "NO_COLOR": "1"}


@click.command("verify-aws")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before anything is created.")
@click.option("--only", help="Make these checks only, with what they need: NAME[,NAME].")
@click.option(
    "--resume", is_flag=True, help="Go on with the last run; what it has found out is not done again."
)
@click.option("--keep", is_flag=True, help="Leave the install, its queues and its rules.")
@click.option("--clean", metavar="NAME", help="Remove what the run of that name has left, and do nothing else.")
@click.option("--email", default="", help="Where the mails go, too. AWS sends a confirmation first.")
@click.option(
    "--report",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("verify-aws.md"),
    show_default=True,
    help="Where the report goes; the evidence goes beside it, as .json.",
)
@click.option("--list", "listed", is_flag=True, help="Name the checks, and do nothing else.")
def verify_aws(
    yes: bool,
    only: str | None,
    resume: bool,
    keep: bool,
    clean: str | None,
    email: str,
    path: Path,
    listed: bool,
) -> None:
    """Install Portcall in your AWS account under a separate name, test everything, delete it, and report.

    Takes about 25 minutes and a few cents. Exit code 0: all as expected. 1: something differs or failed. 2: it
    did not begin.
    """
    console = Terminal()
    try:
        sys.exit(0 if _run(console, yes, only, resume, keep, clean, email, path, listed) else 1)
    except CannotStartError as error:
        fail(str(error))
        sys.exit(2)


def _run(
    console: Terminal,
    yes: bool,
    only: str | None,
    resume: bool,
    keep: bool,
    clean: str | None,
    email: str,
    path: Path,
    listed: bool,
) -> bool:
    """Run all; return whether everything is as expected. Raises CannotStartError before anything is created."""
    if listed:
        for each in CHECKS.values():
            console.print(f"{each.name:<28} {each.expected}", soft_wrap=True)
        return True
    wanted = _wanted(only, keep)
    require_repository()
    folder = CloudSettings.load().state_dir
    account = log_in()
    if clean:
        return _clean(console, account, folder, clean)
    noted = _resumed(folder, account) if resume else _new(folder, account)
    docker = preflight.require_docker()
    _announce(console, account, noted, docker, keep=keep)
    if not yes:
        _confirm()
    with tempfile.TemporaryDirectory(prefix=f"{noted.name}-") as scratch:
        return _verify(console, _run_of(account, noted, Path(scratch), email), wanted, path, keep=keep)


def _wanted(only: str | None, keep: bool) -> set[str]:
    names = {name.strip() for name in only.split(",")} if only else set(CHECKS)
    if unknown := sorted(names - set(CHECKS)):
        raise click.BadParameter(
            f"there is no check {', '.join(unknown)}. `portcall verify-aws --list` names them.",
            param_hint="--only",
        )
    return names - set(runner.ENDING) if keep else names


def _new(folder: Path, account: Account) -> state.State:
    name = f"portcall-verify-{secrets.token_hex(3)}"
    return state.State(
        name, account.id, account.region, account.endpoint, state.path_of(folder, name), started=time.time()
    )


def _load(path: Path, account: Account) -> state.State:
    try:
        noted = state.State.load(path)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CannotStartError(f"{path} cannot be read: {error}") from error
    if (noted.account, noted.region, noted.endpoint) != (account.id, account.region, account.endpoint):
        raise CannotStartError(
            f"{noted.name} is in account {noted.account}, region {noted.region}; you are logged in to account "
            f"{account.id}, region {account.region}."
        )
    return noted


def _resumed(folder: Path, account: Account) -> state.State:
    paths = list(state.known(folder))
    if not paths:
        raise CannotStartError("There is no run to resume. Begin one: portcall verify-aws")
    return _load(paths[0], account)


def _run_of(account: Account, noted: state.State, scratch: Path, email: str) -> Run:
    tools = _tools(account, noted)
    timing = pace.EMBEDDED if account.embedded else pace.AWS
    images = Images(account, noted, tools, scratch)
    return Run(account, noted, tools, images, timing, scratch, email, lambda phase: None)


def _tools(account: Account, noted: state.State) -> Tools:
    quick = (
        {"SAM_CLI_POLL_DELAY": "0.5", "SAM_CLI_CONTAINER_CONNECTION_TIMEOUT": "1"} if account.embedded else {}
    )
    # sam looks for uv on the PATH; it must find the one of the lock file.
    found = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    environment = {
        **os.environ,
        **TOOLS_ENVIRONMENT,
        **quick,
        "PATH": found,
        "AWS_DEFAULT_REGION": account.region,
    }
    log = noted.path.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    return Tools(log, PROJECT, environment)


def _announce(console: Terminal, account: Account, noted: state.State, docker: str, *, keep: bool) -> None:
    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    quotas = list(preflight.quotas(account))
    say(f"{noted.name}: account {account.id}, region {account.region}, in {account.kind}")
    say(f"Docker {docker}; the images are flask_app and a probe, both FROM {base_of(EXAMPLE)}")
    say("\nQuotas:")
    for quota in quotas:
        say(f"  {'✗' if quota.too_small else ' '} {quota}")
    say(
        "\nWhat is created: the whole of template.yaml as a stack of that name (a VPC, a cluster, some twenty "
        "functions with their roles, a repository, a table, a topic), two SQS queues, two EventBridge rules, "
        "and, where it is not there yet, SAM's bucket (the stack aws-sam-cli-managed-default), which stays."
    )
    say(
        "It is all left there, as --keep says."
        if keep
        else "All else is deleted at the end, and when you press Ctrl-C."
    )
    say("\nWhat it costs at the most, by the prices of us-east-1:")
    for item in cost.items():
        say(f"  {100 * item.dollars:5.1f} ¢  {item.what}: {item.arithmetic}")
    say(f"  {cost.cents():5.1f} ¢  in all\n")
    if short := [quota.name for quota in quotas if quota.too_small]:
        raise CannotStartError(
            f"There is no room for it: {', '.join(short)}. Ask for more in the console of Service Quotas, or "
            "remove what you do not need, or choose another region with AWS_REGION."
        )


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise CannotStartError("There is no terminal to ask at. Say --yes to begin without being asked.")
    if not click.confirm("Begin?"):
        raise CannotStartError("Nothing was created.")


def _verify(console: Terminal, run: Run, wanted: set[str], path: Path, *, keep: bool) -> bool:
    """Run the checks, clean up, write the report; return whether everything is as expected."""
    noted, display, left = run.state, Display(console), list[str]()
    run.say = display.say
    noted.save()
    interrupted = False
    try:
        with _sigterm_interrupts():
            installed = runner.is_installed(run)
            if not installed:
                noted.forget_install()
            runner.carry_out(run, runner.plan(noted, wanted, installed=installed), display)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        display.pause()
        if keep:
            console.print(f"\nKept, as you said. Remove it with: portcall verify-aws --clean {noted.name}")
        else:
            left = _cleaned(console, run.account, noted, run.tools, run.folder)
        evidence = report.write(noted, path, run.account.kind, left)
    console.print(
        f"\nThe report: {path}; the evidence: {evidence}; what was typed: {run.tools.log}", soft_wrap=True
    )
    if interrupted:
        console.print("Interrupted. Go on with: portcall verify-aws --resume")
    return runner.is_as_expected(noted, wanted) and not left and not interrupted


def _clean(console: Terminal, account: Account, folder: Path, name: str) -> bool:
    path = state.path_of(folder, name)
    if not path.exists():
        raise CannotStartError(f"There is no run {name}: {path} is missing.")
    noted = _load(path, account)
    with tempfile.TemporaryDirectory() as scratch:
        left = _cleaned(console, account, noted, _tools(account, noted), Path(scratch))
    return not left


def _cleaned(console: Terminal, account: Account, noted: state.State, tools: Tools, folder: Path) -> list[str]:
    """Clean up, even after a Ctrl-C; a second Ctrl-C ends it."""
    display = Display(console)
    with _needs_two_interrupts(console, noted.name):
        left = leftovers.clean_up(account, noted, tools, folder, display.say)
    display.pause()
    if left:
        console.print("\nWhat could not be removed:", style="red bold")
        for each in left:
            console.print(f"  {each}", soft_wrap=True)
        console.print(f"Try again with: portcall verify-aws --clean {noted.name}")
    else:
        console.print("Everything that was created is gone, but for SAM's own bucket.")
    return left


@contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _signals(leave):
        yield


@contextmanager
def _needs_two_interrupts(console: Terminal, name: str) -> Iterator[None]:
    pressed = 0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed += 1
        if pressed > 1:
            raise KeyboardInterrupt
        console.print(
            f"\nStill cleaning up. Once more to leave it at that; then: portcall verify-aws --clean {name}"
        )

    with _signals(ask):
        yield


class Display:
    """One line per check: a spinner on a terminal, and the result when it ends."""

    def __init__(self, console: Terminal) -> None:
        self._console = console
        self._status: Status | None = None
        self._check = ""

    def begin(self, check: Check) -> None:
        """A check begins."""
        self._check = check.name
        self.say("")

    def say(self, phase: str) -> None:
        """Show what is being done."""
        words = ": ".join(filter(None, (self._check, phase)))
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status("")
            self._status.start()
        self._status.update(Text(f"{words} …"))

    def end(self, check: Check, result: state.Result) -> None:
        """A check ends."""
        self.pause()
        first = result.observed.strip().partition("\n")[0]
        took = Text(f"{check.name:<28} {result.seconds:5.0f} s  {result.verdict}", style="bold")
        self._console.print(MARKS[result.verdict], took, "", first, soft_wrap=True)

    def pause(self) -> None:
        """Stop the spinner."""
        if self._status:
            self._status.stop()
            self._status = None
        self._check = ""
