"""Rules that recognize the cause of a stop, with the words for the mail."""

import re
from dataclasses import dataclass

# A longer line of a log is data, not an error message.
LINE_LIMIT = 1000

SCRIPT = r"(?P<script>/?[\w./-]{1,100}\.(?:sh|bash|py|js|rb|pl))"
PROGRAM = r"(?P<program>/?[\w./-]{1,100})"
# How to give an app a value: the end of a sentence.
AS_A_SETTING = (
    "with `LABEL portcall.env.NAME=...` in the Dockerfile. A secret belongs in Parameter Store instead, as "
    "/portcall/<repository>/NAME (for previews /portcall-previews/<repository>/NAME)."
)


@dataclass(frozen=True)
class Words:
    """The words for the mail: `summary` ends its subject, `hint` says what to do.

    `again` says that deploying the same image again may work, `passing` that AWS's side failed, which may pass;
    `is_gone` that the image is no longer in the repository, so no restart can succeed.
    """

    summary: str
    hint: str
    again: bool = False
    passing: bool = False
    is_gone: bool = False


@dataclass(frozen=True)
class Rule:
    """A cause, and how to recognize it.

    `reason`: patterns that AWS's reason must all match. `log`: patterns of which one must match a line of the
    app's log. If `codes` are given, the line counts only with one of these exit codes.

    `summary` and `hint` may contain the patterns' groups, `{platform}`, `{memory}` and `{code}`.
    """

    summary: str
    hint: str
    reason: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()
    again: bool = False
    passing: bool = False
    is_gone: bool = False

    def in_reason(self, reason: str) -> dict[str, str] | None:
        """The matched groups in AWS's reason, None if it is not this cause."""
        found = [re.search(pattern, reason, re.IGNORECASE) for pattern in self.reason]
        if not found or not all(found):
            return None
        return {name: text for each in found if each for name, text in each.groupdict().items()}

    def in_line(self, line: str, code: int | None) -> dict[str, str] | None:
        """The matched groups in a line of the log, None if it does not name this cause."""
        if self.codes and code not in self.codes:
            return None
        for pattern in self.log:
            if found := re.search(pattern, line[:LINE_LIMIT], re.IGNORECASE):
                return found.groupdict()
        return None

    def words(self, names: dict[str, str]) -> Words:
        """The words for the mail about it."""
        summary, hint = self.summary.format(**names), self.hint.format(**names)
        return Words(summary, hint, self.again, self.passing, self.is_gone)
