"""`portcall verify-aws`: checks in AWS itself what AWS does not document."""

import os
import secrets
import sys
import tempfile
import time
from pathlib import Path

import click

from localcloud.settings import PROJECT, CloudSettings, require_repository
from portcall.cli import interrupts
from portcall.cli.verify_display import Display
from portcall.core.terminal import Terminal, fail
from portcall.verify import cost, leftovers, pace, preflight, report, runner, state
from portcall.verify.account import Account, log_in
from portcall.verify.checks import CHECKS
from portcall.verify.errors import CannotStartError
from portcall.verify.images import EXAMPLE, Images, base_of
from portcall.verify.run import Run
from portcall.verify.tools import Tools

# sam must not ask questions or send telemetry.
TOOLS_ENVIRONMENT = {"SAM_CLI_TELEMETRY": "0", "AWS_PAGER": "", "NO_COLOR": "1"}


@click.command("verify-aws")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before anything is created.")
@click.option("--only", help="Run only these checks and those that they need: NAME[,NAME].")
@click.option(
    "--resume", is_flag=True, help="Continue the last run. Checks that have a result are not repeated."
)
@click.option("--keep", is_flag=True, help="Do not delete the install, its queues and its rules at the end.")
@click.option("--clean", metavar="NAME", help="Only delete what the run of that name has left.")
@click.option("--email", default="", help="Also send the emails to this address. AWS asks it to confirm first.")
@click.option(
    "--report",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("verify-aws.md"),
    show_default=True,
    help="The file for the report. The evidence goes to a .json file next to it.",
)
@click.option("--list", "listed", is_flag=True, help="Only list the checks.")
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
    """Run the checks; return whether all results are as expected. Raises CannotStartError."""
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
        raise CannotStartError("There is no run to resume. Start one: portcall verify-aws")
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
        "\nIt creates all of template.yaml as a stack of that name (a VPC, a cluster, some twenty functions "
        "with their roles, a repository, a table, a topic), two SQS queues and two EventBridge rules. "
        "If SAM's bucket (the stack aws-sam-cli-managed-default) does not exist, it is created and stays."
    )
    say(
        "Nothing is deleted at the end, because of --keep."
        if keep
        else "Everything else is deleted at the end, and when you press Ctrl-C."
    )
    say("\nIt costs at most, at the prices of us-east-1:")
    for item in cost.items():
        say(f"  {100 * item.dollars:5.1f} ¢  {item.what}: {item.arithmetic}")
    say(f"  {cost.cents():5.1f} ¢  in all\n")
    if short := [quota.name for quota in quotas if quota.too_small]:
        raise CannotStartError(
            f"These quotas are too small: {', '.join(short)}. Request more in the Service Quotas console, "
            "remove what you do not need, or choose another region with AWS_REGION."
        )


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise CannotStartError(
            "This command asks for confirmation, and there is no terminal. To skip the question: --yes"
        )
    if not click.confirm("Start?"):
        raise CannotStartError("Nothing was created.")


def _verify(console: Terminal, run: Run, wanted: set[str], path: Path, *, keep: bool) -> bool:
    """Run the checks, clean up, write the report; return whether everything is as expected."""
    noted, display, left = run.state, Display(console), list[str]()
    run.say = display.say
    noted.save()
    interrupted = False
    try:
        with interrupts.sigterm_interrupts():
            installed = runner.is_installed(run)
            if not installed:
                noted.forget_install()
            runner.carry_out(run, runner.plan(noted, wanted, installed=installed), display)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        display.pause()
        if keep:
            console.print(f"\nKept (--keep). Delete it with: portcall verify-aws --clean {noted.name}")
        else:
            left = _cleaned(console, run.account, noted, run.tools, run.folder)
        evidence = report.write(noted, path, run.account.kind, left)
    console.print(
        f"\nThe report: {path}; the evidence: {evidence}; all commands: {run.tools.log}",
        soft_wrap=True,
    )
    if interrupted:
        console.print("Interrupted. Continue with: portcall verify-aws --resume")
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
    """Clean up, also after Ctrl-C; a second Ctrl-C ends that. Returns what could not be deleted."""
    display = Display(console)
    with interrupts.needs_two_interrupts(console, noted.name):
        left = leftovers.clean_up(account, noted, tools, folder, display.say)
    display.pause()
    if left:
        console.print("\nThis could not be deleted:", style="red bold")
        for each in left:
            console.print(f"  {each}", soft_wrap=True)
        console.print(f"Try again with: portcall verify-aws --clean {noted.name}")
    else:
        console.print("Everything that was created is deleted, except SAM's own bucket.")
    return left
