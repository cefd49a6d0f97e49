"""Runs the checks one after the other, and records their results."""

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.processes import CloudError
from portcall.verify import install
from portcall.verify.check import CHECKS, Check, with_needs
from portcall.verify.errors import CheckFailedError, DifferentError, NotRunError
from portcall.verify.run import Run
from portcall.verify.state import DIFFERENT, FAILED, NOT_RUN, SAME, Result, State

# The last two checks, which delete the install.
ENDING = ("delete", "nothing-left")
INTERRUPTED = "interrupted"


class Display(Protocol):
    """Shows the progress of the run."""

    def begin(self, check: Check) -> None: ...

    def end(self, check: Check, result: Result) -> None: ...


def plan(state: State, wanted: set[str], *, installed: bool) -> list[Check]:
    """The checks to run: the wanted ones without a result, and those that they need."""

    def is_there(name: str) -> bool:
        result = state.results.get(name)
        return installed and result is not None and result.settled and result.install == state.install

    open_ones = {name for name in wanted if name not in state.results or not state.results[name].settled}
    return with_needs(open_ones, is_there)


def carry_out(run: Run, checks: list[Check], display: Display) -> None:
    """Run the checks. KeyboardInterrupt is recorded and raised."""
    made: dict[str, Result] = {}
    for each in checks:
        display.begin(each)
        missing = [need for need in each.needs if need in made and not made[need].settled]
        began = time.monotonic()
        interrupted: KeyboardInterrupt | None = None
        if missing:
            result = Result(NOT_RUN, f"it needs {missing[0]}, which has no result")
        else:
            try:
                result = _result(partial(each.probe, run))
            except KeyboardInterrupt as error:
                result, interrupted = Result(FAILED, INTERRUPTED), error
            result.seconds = round(time.monotonic() - began, 1)
        result.install = run.state.install
        made[each.name] = run.state.results[each.name] = result
        run.state.save()
        display.end(each, result)
        if interrupted:
            raise interrupted


def _result(probe: Callable[[], str]) -> Result:
    try:
        return Result(SAME, probe(), settled=True)
    except DifferentError as error:
        return Result(DIFFERENT, str(error), settled=True)
    except NotRunError as error:
        return Result(NOT_RUN, str(error), settled=True)
    except (CheckFailedError, CloudError) as error:
        return Result(FAILED, str(error))
    except (BotoCoreError, ClientError, OSError) as error:
        return Result(FAILED, f"{type(error).__name__}: {error}")
    except Exception as error:
        # An unexpected answer of AWS; the other checks continue.
        return Result(FAILED, f"{type(error).__name__}: {error} (unexpected)")


def is_installed(run: Run) -> bool:
    """Whether this run has a complete install."""
    stack = install.describe(run.account, run.state.name)
    status = str(stack["StackStatus"]) if stack else ""
    return status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def is_as_expected(state: State, wanted: set[str]) -> bool:
    """Whether none of the wanted checks differs or failed."""
    verdicts = [state.results[name].verdict for name in CHECKS if name in wanted and name in state.results]
    return len(verdicts) == len(wanted) and not {DIFFERENT, FAILED} & set(verdicts)
