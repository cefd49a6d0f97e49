"""Draws the workflow from its definition: the path of a push that goes live, and the branches."""

import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import yaml

from portcall.core.execution import PATH_TO_LIVE

ROOT = Path(__file__).parents[1]
DEFINITION, PICTURE = ROOT / "statemachine/deploy.asl.yaml", ROOT / "docs/pictures/workflow.svg"
# Pixels: a row, a letter of a name, what is left free around it, and between two boxes of a row.
ROW, LETTER, PAD, GAP, HEIGHT = 40, 7.4, 14, 34, 28
# The middle of the column of the way, and where the branches begin.
MIDDLE, BRANCHES = 150, 410
STYLE = """
text{font:13px ui-monospace,SFMono-Regular,Menlo,monospace;fill:#1f2328}
.said{font:italic 12px system-ui,sans-serif;fill:#59636e}
.box{stroke-width:1.5}.Task{fill:#ddf4ff;stroke:#0969da}
.Succeed{fill:#dafbe1;stroke:#1a7f37}.Fail{fill:#ffebe9;stroke:#cf222e}
.Again{fill:none;stroke:#59636e;stroke-dasharray:3 3}
path{fill:none;stroke:#59636e;stroke-width:1.3}marker path{fill:#59636e;stroke:none}.fails{stroke-dasharray:4 3}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.said{fill:#9198a1}.Task{fill:#0c2d4a;stroke:#4493f8}
.Succeed{fill:#12351f;stroke:#3fb950}.Fail{fill:#4b1113;stroke:#f85149}
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
    """The SVG of a workflow, with the steps of `PATH_TO_LIVE` from top to bottom."""
    states, picture = definition["States"], Picture()
    y, before = float(ROW), 0.0
    for name in PATH_TO_LIVE:
        width = len(name) * LETTER + 2 * PAD
        right = picture.box(MIDDLE - width / 2, y, name, states[name]["Type"])
        if before:
            picture.line((MIDDLE, before + HEIGHT / 2), (MIDDLE, y - HEIGHT / 2))
        before = y
        branches = _branches(states[name])
        for number, (said, to) in enumerate(branches):
            at = y + number * ROW
            picture.line((right, y), (right + GAP / 2, y), (right + GAP / 2, at), (BRANCHES, at))
            picture.text(BRANCHES - 6, at - 9, said, "end", "said")
            _chain(picture, states, to, BRANCHES, at, set(PATH_TO_LIVE))
        y += ROW * max(1, len(branches))
    _failures(picture, states, y + ROW / 2)
    return picture.svg("The workflow of a deployment")


def _branches(state: dict[str, Any]) -> list[tuple[str, str]]:
    """(in which case, next state): where a BranchError leads, and nothing about failures."""
    caught = [each for each in state.get("Catch", ()) if each["ErrorEquals"] != ["States.ALL"]]
    return [(_case(*each["ErrorEquals"]), each["Next"]) for each in caught]


def _case(error: str) -> str:
    """The name of a BranchError in words."""
    words = re.sub("(?<!^)(?=[A-Z])", " ", error.removesuffix("Error"))
    return words.lower().replace(" url", " URL")


def _chain(picture: Picture, states: dict[str, Any], name: str, x: float, y: float, way: set[str]) -> None:
    """A state and those after it, up to one that is drawn already."""
    while True:
        again = name in way
        right = picture.box(x, y, name, "Again" if again else states[name]["Type"])
        if again or "Next" not in states[name]:
            return
        picture.line((right, y), (right + GAP, y))
        x, name = right + GAP, states[name]["Next"]


def _failures(picture: Picture, states: dict[str, Any], y: float) -> None:
    """Where each task leads when its retries are used up."""
    (back,) = {state["Catch"][-1]["Next"] for state in states.values() if "Catch" in state} - {"RollBackFailed"}
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
