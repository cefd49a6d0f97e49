"""The terminal: whatever others wrote is text on it, and never markup or a command to the terminal."""

from typing import Any

from deployer.domain.text import plain as plain
from rich.console import Console
from rich.text import Text


class Terminal(Console):
    """A console on which a string has no markup, no emoji codes and no control characters.

    What is ours to style is a `Text`, or printed with a `style`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string comes by here, those in the cells of tables too."""
        return super().render_str(
            plain(text), **{**options, "markup": False, "emoji": False, "highlight": False}
        )


def done(ok: bool = True) -> Text:
    """The mark of something that has ended well, or not."""
    return Text("✓", style="green") if ok else Text("✗", style="red")


def fail(message: str) -> None:
    """Say on standard error why the command ends."""
    Terminal(stderr=True).print(Text("portcall:", style="red bold"), message, soft_wrap=True)
