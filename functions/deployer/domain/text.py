"""What others wrote, made fit for a mail."""

import re

LIMIT = 2000
# What terminals take for colours, titles and cursor movements.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# `DB_PASSWORD=...`, `"token": "..."`, `//user:...@`; in prose, as in `unexpected token: x`, there is no secret.
NAMED = re.compile(
    r"(?P<kept>(?<!\w)\w*(?:passw(?:or)?d|secret|token|(?:api|access|private)_?key)\w*(?:=|[\"']\s*:\s*)[\"']?)"
    r"[^\s\"',;&]+",
    re.IGNORECASE,
)
IN_URL = re.compile(r"(?P<kept>://[^\s/:@]*:)[^\s/@]+(?=@)")


def printable(text: str, limit: int = LIMIT) -> str:
    """One line without control characters, colours and the like, and not too long."""
    plain = "".join(each if each.isprintable() else " " for each in ESCAPES.sub("", text)).rstrip()
    return plain if len(plain) <= limit else plain[: limit - 4] + " ..."


def discreet(line: str) -> str:
    """The line without the values of what is named like a secret."""
    return IN_URL.sub(r"\g<kept>***", NAMED.sub(r"\g<kept>***", line))
