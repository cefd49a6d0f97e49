"""Reads durations such as `90s`, `15m`, `1h30m`, `2d`; a bare number is seconds."""

import re

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> int:
    """The seconds of a duration. Raises ValueError for anything else."""
    if text.isdecimal() and len(text) < 10:
        return int(text)
    if not re.fullmatch(r"(?:[0-9]{1,9}[smhd])+", text):
        raise ValueError(f"{text!r} is not a duration; write 90s, 15m or 1h30m")
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"([0-9]+)([smhd])", text))
