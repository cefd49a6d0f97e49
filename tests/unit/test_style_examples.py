"""The examples in docs/style.md are in our files."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STYLE = (ROOT / "docs/style.md").read_text()
EXAMPLES = re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)^```$", STYLE, re.MULTILINE | re.DOTALL)


def test_every_example_names_its_file() -> None:
    assert len(EXAMPLES) == STYLE.count("```") // 2 > 8


@pytest.mark.parametrize(
    ("path", "lines"), EXAMPLES, ids=[f"{path}-{number}" for number, (path, _) in enumerate(EXAMPLES)]
)
def test_an_example_is_what_the_file_says(path: str, lines: str) -> None:
    assert lines in (ROOT / path).read_text()
