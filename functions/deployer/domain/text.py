"""Makes text of other people safe for a mail."""

import re
from collections.abc import Iterable

LIMIT = 2000
# Terminal escape sequences for colours, titles and cursor movements.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_NAME = r"[\w.-]{0,64}(?:passw(?:or)?d|passphrase|secret|token|(?:api|access|private)[_-]?key)[\w.-]{0,64}"
# Values that are replaced by ***. Prose such as `unexpected token: x` or `Bearer authentication` has no secret.
SECRETS = [
    # `DB_PASSWORD=...`, `"token": "..."`
    re.compile(rf"(?P<kept>(?<![\w.-]){_NAME}(?:=|[\"']\s*:\s*)[\"']?)[^\s\"',;&]+", re.IGNORECASE),
    # A whole line of a configuration: `  password: x`, `- token: "x y"`, `X-Api-Key: x`
    re.compile(
        rf"^(?P<kept>\s*(?:- +)?{_NAME}\s*:\s+)(?:\"[^\"]+\"|'[^']+'|[^\s\"']+)(?=,?\s*$)", re.IGNORECASE
    ),
    # `//user:...@`
    re.compile(r"(?P<kept>://[^\s/:@]*:)[^\s/@]+(?=@)"),
    # `Authorization: Basic ...`, in whatever quotes; `Bearer ...` alone
    re.compile(
        r"(?P<kept>\bauthorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token|digest|apikey) +|(?=\S{16})))"
        r"[^\s\"',;]+",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<kept>\bbearer +)(?=[\w.~+/=-]*\d)[\w.~+/=-]{12,}", re.IGNORECASE),
    # Keys by their form: AWS's ids, JSON Web Tokens, GitHub's, GitLab's, Slack's, Stripe's
    re.compile(r"\b(?P<kept>AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"\b(?P<kept>eyJ)[\w-]{8,}\.[\w-]+\.[\w-]*"),
    re.compile(r"\b(?P<kept>gh[opsru]_|github_pat_|glpat-|xox[abeprs]-|[rs]k_live_)[\w-]{16,}"),
    # On one line, as in a variable
    re.compile(r"(?P<kept>-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----).*"),
]
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END [A-Z ]{0,32}PRIVATE KEY-----")
_OF_A_KEY = re.compile(r"\s*(?:[A-Za-z0-9+/]+={0,2}|(?:Proc-Type|DEK-Info): .*)?\s*")


def printable(text: str, limit: int = LIMIT) -> str:
    """One line without control characters, colours or similar, and not too long."""
    line = "".join(each if each.isprintable() else " " for each in ESCAPES.sub("", text)).rstrip()
    return line if len(line) <= limit else line[: limit - 4] + " ..."


def plain(text: str) -> str:
    """The text without control characters; newlines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in ESCAPES.sub("", text))


def at(url: str) -> str:
    """` at http://...`; '' for a worker, which has no URL."""
    return f" at {url}" if url else ""


def discreet(line: str) -> str:
    """The line with *** for values that are named, or look, like secrets."""
    for secret in SECRETS:
        line = secret.sub(r"\g<kept>***", line)
    return line


def without_keys(lines: Iterable[str]) -> list[str]:
    """The lines without the contents of private keys (PEM); their first and last lines stay."""
    kept: list[str] = []
    inside = False
    for line in lines:
        if _KEY_ENDS.search(line) and not _KEY_BEGINS.search(line):
            # The log may begin in the middle of a key.
            while not inside and kept and _OF_A_KEY.fullmatch(kept[-1]):
                kept.pop()
            inside = False
        elif not (inside and _OF_A_KEY.fullmatch(line)):
            inside = bool(_KEY_BEGINS.search(line) and not _KEY_ENDS.search(line))
            kept.append(line)
            continue
        if not kept or not kept[-1].startswith("***"):
            kept.append("***")
    return kept
