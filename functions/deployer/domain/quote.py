"""What others wrote, made fit to be repeated in a sentence."""

import re

LIMIT = 40
# Half characters (lone surrogates) can be written in JSON, but are none.
UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")


def quote(text: str) -> str:
    """`'8O80'`: shortened, on one line, with a `?` for each character that cannot be shown."""
    shown = text if len(text) <= LIMIT else text[: LIMIT - 3] + "..."
    return "'" + "".join(character if character.isprintable() else "?" for character in shown) + "'"


def is_plain(text: str) -> bool:
    """Whether the text can be an argument or a variable of a process."""
    return not UNSPEAKABLE.search(text)
