"""Each row of the table in docs/security.md names existing tests."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_attacker_is_held_by_a_test() -> None:
    table = (ROOT / "docs/security.md").read_text().partition("## Who could do what")[2]
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 9
    for row in rows:
        assert len(row) == 4, row
        named = re.findall(r"`(\w+/test_\w+\.py)`", row[3])
        assert named, row
        assert [each for each in named if not (ROOT / "tests" / each).is_file()] == []
