"""Quotes text of other people in a sentence."""

import re

LIMIT = 40
# Lone surrogates can be written in JSON, but are not characters.
UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")


def quote(text: str) -> str:
    """`'8O80'`: shortened, on one line, with a `?` for each character that cannot be shown."""
    shown = text if len(text) <= LIMIT else text[: LIMIT - 3] + "..."
    return "'" + "".join(character if character.isprintable() else "?" for character in shown) + "'"


def is_plain(text: str) -> bool:
    """Whether the text can be an argument or an environment variable of a process."""
    return not UNSPEAKABLE.search(text)
