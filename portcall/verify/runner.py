"""Makes the checks one after the other, and keeps what became of each."""

import time
from collections.abc import Callable
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.processes import CloudError
from portcall.verify import install
from portcall.verify.check import CHECKS, Check, with_needs
from portcall.verify.errors import CheckFailedError, DifferentError, NotRunError
from portcall.verify.run import Run
from portcall.verify.state import DIFFERENT, FAILED, NOT_RUN, SAME, Result, State

# The last two, which end the install.
ENDING = ("delete", "nothing-left")
INTERRUPTED = "interrupted"


class Display(Protocol):
    """Shows a person where the run is."""

    def begin(self, check: Check) -> None: ...

    def end(self, check: Check, result: Result) -> None: ...


def plan(state: State, wanted: set[str], *, installed: bool) -> list[Check]:
    """The checks to make: those wanted that came to no result yet, and what these need of the install."""

    def is_there(name: str) -> bool:
        result = state.results.get(name)
        return installed and result is not None and result.settled and result.install == state.install

    open_ones = {name for name in wanted if name not in state.results or not state.results[name].settled}
    return with_needs(open_ones, is_there)


def carry_out(run: Run, checks: list[Check], display: Display) -> None:
    """Make the checks; KeyboardInterrupt goes through, and is noted."""
    made: dict[str, Result] = {}
    for each in checks:
        display.begin(each)
        missing = [need for need in each.needs if need in made and not made[need].settled]
        began = time.monotonic()
        interrupted: KeyboardInterrupt | None = None
        if missing:
            result = Result(NOT_RUN, f"it needs {missing[0]}, which came to no result")
        else:
            try:
                result = _result(lambda check=each: check.probe(run))  # type: ignore[misc]
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
        # AWS's answers are not what they were thought to be; the other checks go on.
        return Result(FAILED, f"{type(error).__name__}: {error}, which was not foreseen")


def is_installed(run: Run) -> bool:
    """Whether there is an install of this run, whole, to go on with."""
    stack = install.describe(run.account, run.state.name)
    status = str(stack["StackStatus"]) if stack else ""
    return status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def is_as_expected(state: State, wanted: set[str]) -> bool:
    """Whether nothing that was wanted differs or failed."""
    verdicts = [state.results[name].verdict for name in CHECKS if name in wanted and name in state.results]
    return len(verdicts) == len(wanted) and not {DIFFERENT, FAILED} & set(verdicts)
