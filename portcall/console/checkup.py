"""The findings of `portcall doctor`, as a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from portcall.console.source import Source
from portcall.core.doctor import checkup
from portcall.core.doctor.judgement import Finding, Result
from portcall.core.trouble import Exit, Trouble

WORST_FIRST = (Result.FAILED, Result.WARNING, Result.UNKNOWN, Result.OK)
WORDS = {each: each.value for each in Result}


@dataclass(frozen=True)
class CheckupPage:
    """The findings by group; in each group, problems come first."""

    findings: Sequence[Finding]

    @property
    def groups(self) -> list[tuple[str, list[Finding]]]:
        """(group, findings)."""
        return [
            (group, sorted(found, key=lambda each: WORST_FIRST.index(each.judgement.result)))
            for group, found in groupby(self.findings, key=lambda each: each.group)
        ]

    @property
    def counts(self) -> list[tuple[str, int]]:
        """(words, how many), the worst first."""
        results = [each.judgement.result for each in self.findings]
        return [(WORDS[each], results.count(each)) for each in WORST_FIRST if each in results]


def checkup_page(source: Source, app: str = "") -> CheckupPage:
    """Run the checks, which takes some seconds. Raises Trouble if there is no such app."""
    try:
        return CheckupPage(source.ask(lambda target: checkup.examine(target, app)))
    except Trouble as trouble:
        if trouble.exit_code == Exit.NO_SUCH_THING:
            raise
        return CheckupPage(checkup.without_target(trouble))
