"""Which statements of the roles the recorded calls of the tests needed, and which not."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator as iam

from tests.policies import statements

# Under these all statements are there.
INSTALL = {
    "AllowedCidr": "198.51.100.0/24",
    "BlockOnFindings": "critical",
    "CreateRepositories": "team",
    "Environments": "tag",
    "Tracing": "on",
}
Parsed = dict[str, Any]


@dataclass(frozen=True)
class Decision:
    """A call that was allowed, with the statements that decided it."""

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

    @property
    def stack(self) -> str:
        """The stack that has the role."""
        return self.role.partition(f"-{logical(self.role).removesuffix('Role')}")[0]

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
    """(Sid, action or other part, as `Report.survivors` names it) that the tests do not need."""
    found, parts = set(), []
    for line in template.splitlines():
        if said := re.search(r"# (.+?) is not exercised here: ", line):
            parts.append(said[1])
        elif sid := re.search(r"Sid: (\w+)", line):
            found |= {(sid[1], part) for part in parts}
            parts = []
    return found


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
    """Whether a call is still allowed without what stands at a place of a statement."""
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

    @cached_property
    def parts(self) -> list[tuple[str, str, str, bool]]:
        """(what has the statement, Sid, part of it, whether a call of the tests needs it)."""
        found = []
        for role, sid in self.all:
            own = [each for each in self.decisions if logical(each.role) == role and sid in each.needed]
            there: dict[Place, str] = {}
            for decision in own:
                for statement in decision.statements:
                    if statement["sid"] == sid:
                        there |= {
                            place: _as_in_the_template(shown, decision.stack)
                            for place, shown in places(statement).items()
                        }
            for place, shown in sorted(there.items()):
                found.append((role, sid, shown, not all(without(each, sid, place) for each in own)))
        return found

    def survivors(self) -> list[str]:
        """The parts of statements without which every call of the tests is still allowed."""
        excuses = excused_parts(self.template)
        return [
            f"{role}: {sid} without {shown}"
            for role, sid, shown, needed in self.parts
            if not needed and (sid, shown) not in excuses
        ]

    def needless_excuses_of_parts(self) -> list[str]:
        """Excuses for parts that every role with the statement needs, or that are not there."""
        unneeded = {(sid, shown) for _, sid, shown, needed in self.parts if not needed}
        seen = {sid for _, sid, _, _ in self.parts}
        return [
            f"{sid}: {part} is exercised, or not there; its excuse may go"
            for sid, part in sorted(excused_parts(self.template) - unneeded)
            if sid in seen
        ]


def _as_in_the_template(shown: str, stack: str) -> str:
    """A value that is the stack's name stands for every stack's."""
    return re.sub(rf"(?<= ){re.escape(stack)}(?= |$)", "${AWS::StackName}", shown)
