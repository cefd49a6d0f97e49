"""Prints to the terminal. Text of other people is never interpreted as markup or as an escape sequence."""

from typing import Any

from deployer.domain.text import plain as plain
from rich.console import Console
from rich.text import Text


class Terminal(Console):
    """A console that prints strings without markup, emoji codes and control characters.

    Our own styled output is a `Text`, or printed with a `style`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """rich calls this for every string, also in the cells of tables."""
        return super().render_str(
            plain(text), **{**options, "markup": False, "emoji": False, "highlight": False}
        )


def done(ok: bool = True) -> Text:
    """The mark of success or failure."""
    return Text("✓", style="green") if ok else Text("✗", style="red")


def fail(message: str) -> None:
    """Print to standard error why the command ends."""
    Terminal(stderr=True).print(Text("portcall:", style="red bold"), message, soft_wrap=True)
