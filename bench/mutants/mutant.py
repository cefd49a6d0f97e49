"""A changed statement, and the result of its tests."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# The killer of a mutant that did not end.
TIME_OUT = "a time-out"


@dataclass(frozen=True)
class Mutant:
    """`before` and `after` are a whole statement at the top of the module, which begins in `begins`.

    `lines` are those of which a test has to run one to notice: the statement inside it that was changed, and
    what it was moved before.
    """

    module: str
    operator: str
    begins: int
    lines: range
    before: str
    after: str

    @property
    def diff(self) -> str:
        """The lines that changed, with what surrounds them."""
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="", n=1)
        text = "\n".join(list(lines)[2:])
        return re.sub(r"@@ -(\d+)\S* \S+ @@", lambda found: f"@@ line {int(found[1]) + self.begins - 1}", text)

    @property
    def change(self) -> str:
        """The lines that went and came, by which a mutant is known though others move it down the file."""
        lines = difflib.ndiff(self.before.splitlines(), self.after.splitlines())
        return "\n".join(f"{line[0]} {line[2:].strip()}" for line in lines if line[0] in "-+")

    def may_be_noticed(self, file: str, lines: Mapping[str, Sequence[int]]) -> bool:
        """Whether a test that ran these lines, by file, may notice the mutant, which is in `file`."""
        if self.before.lstrip().startswith(("def ", "@", "class ")):
            return bool(set(lines.get(file, ())) & {*self.lines})
        # At most the test that happened to import the module has run this line.
        return file in lines


def first_change(before: str, after: str) -> int:
    """The first line that differs, from 0; the number of lines that both have if none of these does."""
    pairs = list(zip(before.splitlines(), after.splitlines(), strict=False))
    return next((number for number, (one, other) in enumerate(pairs) if one != other), len(pairs))


@dataclass(frozen=True)
class Result:
    """`killer` is the test that failed, '' if none of the `tests` did, or `TIME_OUT`."""

    mutant: Mutant
    killer: str
    tests: int
