"""Limits that only the documentation in botocore's models states, read from its sentences.

The models of EC2 and ECS have no patterns and lengths. Instead, the documentation says e.g. "Constraints: Up to
255 characters in length". A set of characters is used only if the whole sentence is understood.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import regex

from localcloud.aws_rules.limits import Limit, at_least, at_most, begins_not, matches

_TAG = re.compile(r"<[^>]+>")
_SENTENCE = re.compile(r"(?<=[.:;])\s+(?=[A-Z])|(?<=length)\s+(?=Valid characters)")
# A sentence with these words is about some values only.
_CONDITIONAL = re.compile(r"^(If|For|When|With|By default|In addition)\b|\bby default\b|\bor a full\b")

_NUMBER = r"([\d,]*\d)"
_CHARACTERS = r"(?:\w+ )?(?:characters|letters)\b"
_LENGTHS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\bup to {_NUMBER} {_CHARACTERS}",
        rf"\bmaximum(?: of)? {_NUMBER} {_CHARACTERS}",
        rf"\bmaximum(?: character)? length of {_NUMBER}\b",
        rf"\blength of \w+ is {_NUMBER} characters",
        rf"\bcan(?:'t|not) (?:be longer than|exceed) {_NUMBER} characters",
        rf"\bmust contain \d+-{_NUMBER} characters",
    )
]
_LESS_THAN = re.compile(rf"\bless than {_NUMBER} characters", re.IGNORECASE)
_BETWEEN_CHARACTERS = re.compile(rf"\bbetween {_NUMBER} and {_NUMBER} characters", re.IGNORECASE)
_BETWEEN = re.compile(
    rf"\b(?:you (?:may|can) specify|value can be|valid values are|accepted values are whole numbers)"
    rf" between {_NUMBER} and {_NUMBER}\b",
    re.IGNORECASE,
)
_COUNT = re.compile(
    rf"\b(?:list of up to|specify up to|^up to|a maximum of|the maximum is) {_NUMBER}\b"
    r"(?! (?:alphanumeric |ASCII |Unicode )?(?:characters|letters)\b)",
    re.IGNORECASE,
)

_ALLOWED = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:valid|allowed) characters(?: are| include|:)(?P<set>.+)",
        r"valid values:(?P<set>.+)",
        r"following characters are accepted:(?P<set>.+)",
        r"\bup to \d+(?P<set> .+) are allowed",
        r"\bcan (?:only )?(?:contain|include)(?: only)?(?: up to \d+)?(?P<set> .+)",
        r"\bmust be made up of only(?P<set>.+?)(?:, and must be between.*)?$",
    )
]
_WORDS = {
    "uppercase and lowercase ascii letters": "a-zA-Z",
    "uppercase and lowercase letters": "a-zA-Z",
    "letters (uppercase and lowercase)": "a-zA-Z",
    "alphanumeric characters": "a-zA-Z0-9",
    "alphanumeric": "a-zA-Z0-9",
    "lowercase letters": "a-z",
    "letters": "a-zA-Z",
    "numbers": "0-9",
    "digits": "0-9",
    "spaces": " ",
    "underscores": "_",
    "hyphens": "-",
    "periods": ".",
    "forward slashes": "/",
    "forward slash": "/",
    "a-z": "a-z",  # and A-Z, as it is written
    "0-9": "0-9",
    "case-sensitive": "",
    "case sensitive": "",
    "punctuation": "",
    "characters": "",
    "and": "",
}
_RANGES = ("a-zA-Z0-9", "a-zA-Z", "a-z", "A-Z", "0-9")
_KNOWN_WORD = re.compile(
    "|".join(re.escape(word) for word in sorted(_WORDS, key=len, reverse=True)), re.IGNORECASE
)
_ASCII_RANGE = re.compile(r"\bcharacters in the range of 33-126\b|\bin the range of 33-126 \(inclusive\)")

_NOT_FIRST = re.compile(r"\b(?:can't start|may not begin|cannot begin) with (?:an? )?(\S+)", re.IGNORECASE)
_LETTER_FIRST = re.compile(
    r"\bmust (?:start|begin) with an? (?:letter|alphabetic(?:al)? character)", re.IGNORECASE
)


def limits_in(documentation: str, kind: str) -> tuple[Limit, ...]:
    """The limits in a member's documentation; `kind` is its shape's type, e.g. `string`, `list`."""
    plain = " ".join(html.unescape(_TAG.sub(" ", documentation)).split())
    sentences = [each for each in _SENTENCE.split(plain) if not _CONDITIONAL.search(each)]
    of_kind = {"string": _of_string, "list": _of_list, "integer": _of_number, "long": _of_number}
    if kind not in of_kind:
        return ()
    found = {limit.asks: limit for each in sentences for limit in of_kind[kind](each)}
    return tuple(found.values())


def _of_string(sentence: str) -> Iterator[Limit]:
    for length in _LENGTHS:
        if found := length.search(sentence):
            yield at_most(_number(found[1]), "characters")
    if found := _LESS_THAN.search(sentence):
        yield at_most(_number(found[1]) - 1, "characters")
    if found := _BETWEEN_CHARACTERS.search(sentence):
        yield at_least(_number(found[1]), "characters")
        yield at_most(_number(found[2]), "characters")
    if characters := _characters(sentence):
        yield matches(f"[{characters}]*", f"have no other characters than {characters}")
    if found := _NOT_FIRST.search(sentence):
        word = found[1].rstrip(".,").lower()
        yield begins_not({"hyphen": "-", "number": "0"}.get(word, word))
    if _LETTER_FIRST.search(sentence):
        yield matches("(?s)[a-zA-Z].*", "begin with a letter")


def _of_list(sentence: str) -> Iterator[Limit]:
    if found := _COUNT.search(sentence):
        yield at_most(_number(found[1]), "entries")


def _of_number(sentence: str) -> Iterator[Limit]:
    if found := _BETWEEN.search(sentence):
        yield at_least(_number(found[1]))
        yield at_most(_number(found[2]))
    elif found := re.search(rf"\byou can specify up to {_NUMBER} ", sentence, re.IGNORECASE):
        yield at_most(_number(found[1]))


def _characters(sentence: str) -> str:
    """The inside of a character class, '' if the sentence names no set or is not fully understood."""
    if _ASCII_RANGE.search(sentence):
        return "!-~"
    for allowed in _ALLOWED:
        if found := allowed.search(sentence):
            return _character_class(found["set"].strip().removesuffix("."))
    return ""


def _character_class(words: str) -> str:
    known = [word if word == "A-Z" else _WORDS[word.lower()] for word in _KNOWN_WORD.findall(words)]
    rest = _KNOWN_WORD.sub(" ", words)
    if not any(known) or re.search(r"\w{2,}", rest):
        return ""
    ranges = [each for each in known if each in _RANGES]
    single = {each for each in known if each and each not in _RANGES}
    # A punctuation mark between commas and brackets stands for itself, and so does each mark in a longer run.
    for run in rest.split():
        marks = run.strip(",") if len(run) < 8 else run
        single |= set(re.sub(r"^\((.+)\)$", r"\1", marks)) - set("," if len(run) < 8 else "")
    single -= {"(", ")"} if not any(len(run) >= 8 for run in rest.split()) else set()
    return "".join(dict.fromkeys(ranges)) + "".join(
        regex.escape(each, special_only=False) for each in sorted(single)
    )


def _number(text: str) -> int:
    return int(text.replace(",", ""))
