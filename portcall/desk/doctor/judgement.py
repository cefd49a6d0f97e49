"""What a check found: fine, something to look at, wrong, or not known."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """`WARNING` keeps nothing from working, or only from this machine; `FAILED` does."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    # It could not be read, so nothing is said about it.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Judgement:
    """What is the matter, in one sentence or two, and what to do, '' if nothing."""

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
    """Neither good nor bad is known."""
    return Judgement(Result.UNKNOWN, said, do)


@dataclass(frozen=True)
class Check:
    """`look` asks and judges; `needs` is the permission that it takes, '' if none."""

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
