"""Tables in a terminal: columns if they fit, and URLs are never cut."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from deployer.domain.timing import span as span
from rich.cells import cell_len
from rich.text import Text

from portcall.core.terminal import Terminal, plain

MARKS = {
    "live": ("●", "green"),
    "deployed": ("●", "green"),
    "deploying": ("◐", "yellow"),
    "failed": ("✗", "red"),
    "down": ("○", "red"),
    "stopped": ("○", "dim"),
    "ended": ("○", "dim"),
}
GAP = "  "


@dataclass(frozen=True)
class Row:
    """A row of a table: the cells, of which the last is e.g. a URL, and a note below the row."""

    cells: Sequence[Text]
    below: str = ""


def cell(text: str, style: str = "") -> Text:
    """Text of other people, on one line."""
    return Text(plain(text).replace("\n", " ").replace("\t", " "), style=style)


def state(word: str) -> Text:
    """A state with its mark, which adds nothing to the word."""
    mark, style = MARKS.get(word, ("·", "dim"))
    return Text(f"{mark} ", style=style) + cell(word)


def show_table(console: Terminal, heading: Sequence[str], rows: Sequence[Row]) -> None:
    """Print columns if every line fits, else the last cell of each row on a line of its own.

    A file or a pipe has no width, so everything fits.
    """
    titles = [Text(title, style="dim") for title in heading]
    lines = [titles, *(row.cells for row in rows)]
    widths = [max(cell_len(line[column].plain) for line in lines) for column in range(len(heading))]
    fits = not console.is_terminal or sum(widths) + len(GAP) * (len(widths) - 1) <= console.width
    for line, below in zip(lines, ["", *(row.below for row in rows)], strict=True):
        shown = list(line) if fits else list(line[:-1])
        for each, width in zip(shown[:-1], widths, strict=False):
            each.append(" " * (width - cell_len(each.plain)))
        console.print(Text(GAP).join(shown), soft_wrap=True)
        if not fits and line is not titles and line[-1].plain:
            console.print(Text("    ") + line[-1], soft_wrap=True)
        if below:
            console.print(Text("    ") + cell(below, "dim"), soft_wrap=True)


def age(seconds: int, now: float | None = None) -> str:
    """`12 s`, `5 min`, `2 h` or `3 d` since a UNIX time; '-' if that is not known."""
    if not seconds:
        return "-"
    return span((now or time.time()) - seconds)
