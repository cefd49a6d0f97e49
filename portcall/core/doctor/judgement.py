"""The result of a check: ok, warning, failed, or unknown."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """`WARNING`: nothing is broken, or only for this machine. `FAILED`: something does not work."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    # It could not be read.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Judgement:
    """The result in one or two sentences, and what to do, '' if nothing."""

    result: Result
    said: str
    do: str = ""


def ok(said: str) -> Judgement:
    """Nothing to do."""
    return Judgement(Result.OK, said)


def warning(said: str, do: str) -> Judgement:
    """Worth a look."""
    return Judgement(Result.WARNING, said, do)


def failed(said: str, do: str) -> Judgement:
    """Something does not work until this is done."""
    return Judgement(Result.FAILED, said, do)


def unknown(said: str, do: str = "") -> Judgement:
    """It could not be checked."""
    return Judgement(Result.UNKNOWN, said, do)


@dataclass(frozen=True)
class Check:
    """`look` reads and judges; `needs` is the permission that it needs, '' if none."""

    group: str
    name: str
    look: Callable[[], Judgement]
    needs: str = ""


@dataclass(frozen=True)
class Finding:
    """A check with its judgement."""

    group: str
    check: str
    judgement: Judgement

    def document(self) -> dict[str, str]:
        """The fields of `--json`."""
        judged = self.judgement
        return {
            "group": self.group,
            "check": self.check,
            "result": judged.result.value,
            "said": judged.said,
            "do": judged.do,
        }
