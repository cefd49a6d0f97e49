"""The report of the mutants."""

from collections.abc import Mapping, Sequence

from bench.mutants.explained import EXPLAINED, Explained
from bench.mutants.mutant import TIME_OUT, Result
from bench.mutants.targets import GOAL


def report(
    subjects: Mapping[str, str],
    results: Sequence[Result],
    *,
    complete: bool,
    excused: Sequence[Explained] = EXPLAINED,
) -> tuple[str, bool]:
    """The survivors and a table, and whether that is good enough. `subjects` has that of each module.

    Unless they are `complete`, nothing is said of what is explained and was not seen to survive.
    """
    entries = {(each.module, each.change) for each in excused if each.module in subjects}
    survivors = [each.mutant for each in results if not each.killer]
    explained = [each for each in survivors if (each.module, each.change) in entries]
    stale = entries - {(each.module, each.change) for each in explained} if complete else set()
    lines = [f"{each.module} ({each.operator})\n{each.diff}\n" for each in survivors if each not in explained]
    lines += [f"Explained, but caught or removed: {module}\n{change}\n" for module, change in sorted(stale)]
    lines += ["| | mutants | killed | of these by a time-out | survived | explained | killed of the others |"]
    lines += ["|---" * 7 + "|"]
    good = not stale
    for name in dict.fromkeys([*subjects.values(), *subjects]):
        its = [each for each in results if name in (each.mutant.module, subjects[each.mutant.module])]
        killed, late = sum(bool(each.killer) for each in its), sum(each.killer == TIME_OUT for each in its)
        reasons = sum(name in (each.module, subjects[each.module]) for each in explained)
        percent = 100 * killed / max(1, len(its) - reasons)
        good = good and (percent >= GOAL or name not in subjects.values())
        row = (name, len(its), killed, late, len(its) - killed, reasons, f"{percent:.0f} %")
        lines.append(f"| {' | '.join(map(str, row))} |")
    return "\n".join(lines), good
