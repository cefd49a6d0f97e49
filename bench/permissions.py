"""Which statements the calls of the tests have needed: `python -m bench.permissions FOLDER`.

The embedded cloud writes the calls that IAM let through to PORTCALL_IAM_DECISIONS; its engine is asked again.
A statement that nothing needs must say so in template.yaml, at its Sid: `# not exercised here: why`;
a part of one above it: `# dynamodb:Query is not exercised here: why`.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator as iam

from tests.policies import statements

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
# Under these all statements are there.
INSTALL = {
    "AllowedCidr": "198.51.100.0/24",
    "BlockOnFindings": "critical",
    "CreateRepositories": "team",
}
Parsed = dict[str, Any]


@dataclass(frozen=True)
class Decision:
    """A call that was let through, with the statements that decided it."""

    role: str
    test: str
    context: Parsed
    policies: list[list[Parsed]]
    limits: list[list[list[Parsed]]] = field(default_factory=list)

    @cached_property
    def asked(self) -> Any:
        return iam.EvalContext(**self.context)

    def allowed(self, statements: list[Parsed]) -> bool:
        """Whether these statements alone, with the boundary as it was, would let it through."""
        limits = [[_parsed(document) for document in limit] for limit in self.limits]
        return bool(iam.evaluate(self.asked, [_parsed(statements)], *limits).decision == "Allow")

    @cached_property
    def statements(self) -> list[Parsed]:
        return [each for document in self.policies for each in document]

    @cached_property
    def needed(self) -> set[str]:
        """The Sids of the statements that let it through, each alone."""
        return {each["sid"] for each in self.statements if self.allowed([each])}


def _parsed(document: list[Parsed]) -> list[Any]:
    return [iam.ParsedStatement(**each) for each in document]


def logical(role: str) -> str:
    """The logical id of what has a role, by the role's physical name."""
    found = re.search(r"(?:^|-)([A-Z]\w*Role)-", role)
    name = found[1] if found else ""
    return name if name in ("ExecutionRole", "RepositoryCreationRole") else name.removesuffix("Role")


def load(folder: Path) -> list[Decision]:
    lines = (line for path in sorted(folder.glob("**/*.jsonl")) for line in path.read_text().splitlines())
    found = [Decision(**json.loads(line)) for line in lines]
    return [each for each in found if logical(each.role)]


def excused(template: str) -> dict[tuple[str, str], str]:
    """(what has the statement, Sid or the alias of its anchor) -> why the tests do not need it."""
    found, resource, anchors = {}, "", dict(re.findall(r"- &(\w+)\n\s+Sid: (\w+)", template))
    for line in template.splitlines():
        if named := re.match(r"  (\w+):$", line):
            resource = named[1]
        said = re.search(r"(?:Sid: (\w+)|- \*(\w+)).*# (?:.*; )?not exercised here: (.+)", line)
        if said:
            found[resource, said[1] or anchors[said[2]]] = said[3]
    return found


def excused_parts(template: str) -> set[tuple[str, str]]:
    """(Sid, action or other part) that the tests do not need."""
    comment = r"# (\S+) is not exercised here: .+\n\s+- (?:&\w+\n\s+)?Sid: (\w+)"
    return {(sid, part) for part, sid in re.findall(comment, template)}


Place = tuple[str, ...]


def places(statement: Parsed) -> dict[Place, str]:
    """Where a statement has an action, a resource, or a value of a condition: place -> what stands there."""
    found: dict[Place, str] = {}
    for kind in ("actions", "resources"):
        for n, each in enumerate(statement[kind]):
            found[kind, str(n)] = each
    for operator, keys in statement["conditions"].items():
        for key, values in keys.items():
            for n, value in enumerate(_list(values)):
                found[operator, key, str(n)] = f"{key} {value}"
    return found


def without(decision: Decision, sid: str, place: Place) -> bool:
    """Whether a call is still let through once what stands at a place of a statement is taken away."""
    changed = copy.deepcopy(decision.statements)
    for statement in changed:
        if statement["sid"] == sid and place in places(statement):
            holder = statement["conditions"][place[0]] if len(place) == 3 else statement
            name, index = place[-2], int(place[-1])
            # What is left of one value matches nothing.
            holder[name] = [each for n, each in enumerate(_list(holder[name])) if n != index] or ["-"]
    return decision.allowed(changed)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@dataclass
class Report:
    decisions: list[Decision]
    template: str

    @cached_property
    def all(self) -> list[tuple[str, str]]:
        given = [*statements(**INSTALL), *statements(StableUrl="on")]
        return sorted({(each.role, each.sid) for each in given if each.role != "StepsBoundary"})

    @cached_property
    def used(self) -> dict[tuple[str, str], str]:
        """(what has the statement, Sid) -> a test that needs it."""
        found: dict[tuple[str, str], str] = {}
        for decision in self.decisions:
            for sid in decision.needed:
                found.setdefault((logical(decision.role), sid), decision.test)
        return found

    def unused(self) -> list[str]:
        excuses = excused(self.template)
        missing = [each for each in self.all if each not in self.used and each not in excuses]
        return [f"{role}: no test needs {sid}" for role, sid in missing]

    def needless_excuses(self) -> list[str]:
        there = [each for each in excused(self.template) if each in self.used or each not in self.all]
        return [f"{role}: {sid} is exercised, or not there; its excuse may go" for role, sid in there]

    def survivors(self) -> list[str]:
        """What could be taken away from statements and no call of the tests would be refused."""
        found = []
        excuses = excused_parts(self.template)
        for role, sid in self.all:
            own = [each for each in self.decisions if logical(each.role) == role and sid in each.needed]
            there: dict[Place, str] = {}
            for decision in own:
                for statement in decision.statements:
                    if statement["sid"] == sid:
                        there |= places(statement)
            for place, shown in sorted(there.items()):
                if (sid, shown) not in excuses and all(without(each, sid, place) for each in own):
                    found.append(f"{role}: {sid} without {shown}")
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--parts", action="store_true", help="take each action, resource and value away")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the table of docs/security.md; without a folder, only what the roles may",
    )
    given = parser.parse_args()
    report = Report(load(given.folder) if given.folder else [], TEMPLATE.read_text())
    problems = [*report.unused(), *report.needless_excuses()] if given.folder else []
    if given.parts:
        problems += report.survivors()
    from bench.permission_table import SECURITY, outdated, write

    if given.write:
        write(report)
    problems += outdated(SECURITY.read_text())
    if given.folder:
        print(
            f"{len(set(report.used) & set(report.all))} of {len(report.all)} statements are needed by a test."
        )
    sys.exit("\n".join(problems) or 0)


if __name__ == "__main__":
    main()
