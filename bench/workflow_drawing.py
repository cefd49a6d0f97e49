"""Draws the workflow from its definition: the path of a push that goes live, and the branches."""

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import yaml

from portcall.core.execution import ROAD

ROOT = Path(__file__).parents[1]
DEFINITION, PICTURE = ROOT / "statemachine/deploy.asl.yaml", ROOT / "docs/pictures/workflow.svg"
# Pixels: a row, a letter of a name, what is left free around it, and between two boxes of a row.
ROW, LETTER, PAD, GAP, HEIGHT = 40, 7.4, 14, 34, 28
# The middle of the column of the way, and where the branches begin.
MIDDLE, BRANCHES = 150, 370
STYLE = """
text{font:13px ui-monospace,SFMono-Regular,Menlo,monospace;fill:#1f2328}
.said{font:italic 12px system-ui,sans-serif;fill:#59636e}
.box{stroke-width:1.5}.Task{fill:#ddf4ff;stroke:#0969da}.Choice{fill:#fff8c5;stroke:#9a6700}
.Succeed{fill:#dafbe1;stroke:#1a7f37}.Fail{fill:#ffebe9;stroke:#cf222e}
.Again{fill:none;stroke:#59636e;stroke-dasharray:3 3}
path{fill:none;stroke:#59636e;stroke-width:1.3}marker path{fill:#59636e;stroke:none}.fails{stroke-dasharray:4 3}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.said{fill:#9198a1}.Task{fill:#0c2d4a;stroke:#4493f8}
.Choice{fill:#3b2e09;stroke:#d29922}.Succeed{fill:#12351f;stroke:#3fb950}.Fail{fill:#4b1113;stroke:#f85149}
path,.Again{stroke:#9198a1}marker path{fill:#9198a1}}
""".strip()


@dataclass
class Picture:
    """The parts of an SVG, and how large it is."""

    parts: list[str] = field(default_factory=list)
    width: float = 0
    height: float = 0

    def box(self, x: float, y: float, name: str, kind: str) -> float:
        """A state at its left edge and the middle of its row; returns its right edge."""
        width = len(name) * LETTER + 2 * PAD
        top, bottom = y - HEIGHT / 2, y + HEIGHT / 2
        if kind == "Choice":
            inner, outer = x + PAD, x + width - PAD
            corners = [(x, y), (inner, top), (outer, top), (x + width, y), (outer, bottom), (inner, bottom)]
            points = " ".join(f"{across:.0f},{down:.0f}" for across, down in corners)
            self.parts.append(f'<polygon class="box {kind}" points="{points}"/>')
        else:
            size = f'x="{x:.0f}" y="{top:.0f}" width="{width:.0f}" height="{HEIGHT}"'
            self.parts.append(f'<rect class="box {kind}" {size} rx="{4 if kind == "Task" else HEIGHT // 2}"/>')
        self.text(x + width / 2, y, name, "middle")
        self._reach(x + width, bottom)
        return x + width

    def text(self, x: float, y: float, said: str, anchor: str = "start", kind: str = "") -> None:
        """Words, at the middle of their row."""
        self.parts.append(
            f'<text class="{kind}" x="{x:.0f}" y="{y + 4:.0f}" text-anchor="{anchor}">{escape(said)}</text>'
        )

    def line(self, *points: tuple[float, float], kind: str = "") -> None:
        """An arrow along these."""
        way = " L ".join(f"{x:.0f} {y:.0f}" for x, y in points)
        self.parts.append(f'<path class="{kind}" d="M {way}" marker-end="url(#arrow)"/>')

    def _reach(self, x: float, y: float) -> None:
        self.width, self.height = max(self.width, x), max(self.height, y)

    def svg(self, title: str) -> str:
        """All of it."""
        width, height = self.width + PAD, self.height + PAD
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
                f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{escape(title)}">',
                f"<title>{escape(title)}</title><style>{STYLE}</style>",
                '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
                'orient="auto"><path d="M 0 0 L 8 4 L 0 8 z"/></marker></defs>',
                *self.parts,
                "</svg>\n",
            ]
        )


def draw(definition: dict[str, Any]) -> str:
    """The SVG of a workflow whose way is `ROAD`."""
    states, picture = definition["States"], Picture()
    way = _way(states, definition["StartAt"])
    y, before = float(ROW), 0.0
    for name, following in zip(way, [*way[1:], ""], strict=True):
        width = len(name) * LETTER + 2 * PAD
        right = picture.box(MIDDLE - width / 2, y, name, states[name]["Type"])
        if before:
            picture.line((MIDDLE, before + HEIGHT / 2), (MIDDLE, y - HEIGHT / 2))
        before = y
        branches = [(said, to) for said, to in _branches(states[name]) if to != following]
        for number, (said, to) in enumerate(branches):
            at = y + number * ROW
            picture.line((right, y), (right + GAP / 2, y), (right + GAP / 2, at), (BRANCHES, at))
            picture.text(BRANCHES - 6, at - 9, said, "end", "said")
            _chain(picture, states, to, BRANCHES, at, set(way))
        y += ROW * max(1, len(branches))
    _failures(picture, states, y + ROW / 2)
    return picture.svg("The workflow of a deployment")


def _way(states: dict[str, Any], start: str) -> list[str]:
    """The states from the first to the end of a push that goes live, choices included."""
    way = [start]
    for goal in [*ROAD[1:], "Deployed"]:
        way += _between(states, way[-1], goal)
    return way


def _between(states: dict[str, Any], begin: str, goal: str) -> list[str]:
    """The shortest way to a state, without where it begins."""
    ways = [[begin]]
    while ways:
        way = ways.pop(0)
        for _, to in _branches(states[way[-1]]):
            if to == goal:
                return [*way[1:], to]
            ways.append([*way, to])
    raise ValueError(f"No way leads from {begin} to {goal}")


def _branches(state: dict[str, Any]) -> list[tuple[str, str]]:
    """(in which case, next state)."""
    if state["Type"] != "Choice":
        return [("", state["Next"])] if "Next" in state else []
    chosen = [(_case(each), each["Next"]) for each in state["Choices"]]
    return [*chosen, ("otherwise", state["Default"])]


def _case(choice: dict[str, Any]) -> str:
    """A condition in a word or two."""
    (value,) = (each for name, each in choice.items() if name not in ("Variable", "Next"))
    about = str(choice["Variable"]).rpartition(".")[2]
    return about if value is True else str(value)


def _chain(picture: Picture, states: dict[str, Any], name: str, x: float, y: float, way: set[str]) -> None:
    """A state and those that come after it, until one that is on the way already."""
    while True:
        again = name in way
        right = picture.box(x, y, name, "Again" if again else states[name]["Type"])
        after = _branches(states[name])
        if again or not after:
            return
        picture.line((right, y), (right + GAP, y))
        x, name = right + GAP, after[0][1]


def _failures(picture: Picture, states: dict[str, Any], y: float) -> None:
    """What every task does whose retries are over."""
    caught = {rule["Next"] for state in states.values() for rule in state.get("Catch", ())} - {"RollBackFailed"}
    (back,) = caught
    picture.text(PAD, y, "any state that fails", kind="said")
    picture.line((MIDDLE - 6, y), (MIDDLE + GAP, y), kind="fails")
    right = picture.box(MIDDLE + GAP, y, back, states[back]["Type"])
    picture.line((right, y), (BRANCHES, y))
    _chain(picture, states, states[back]["Next"], BRANCHES, y, set())
    (failed,) = (rule["Next"] for rule in states[back]["Catch"])
    bend = right + GAP / 2
    picture.line((right, y), (bend, y), (bend, y + ROW), (BRANCHES, y + ROW), kind="fails")
    _chain(picture, states, failed, BRANCHES, y + ROW, set())


def workflow() -> str:
    """The SVG of ours."""
    return draw(yaml.safe_load(DEFINITION.read_text()))


if __name__ == "__main__":
    PICTURE.write_text(workflow())
