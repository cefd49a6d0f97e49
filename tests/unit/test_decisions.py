"""docs/decisions.md: the index lists each entry once, and its links work."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/decisions.md").read_text()
INDEX, _, ENTRIES = PAGE.partition("\n## Entries\n")
HEADINGS = re.findall(r"^### (.+)$", ENTRIES, re.MULTILINE)


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_index_lists_each_entry_once_by_its_title() -> None:
    listed = re.findall(r"^- \[(.+)\]\(#(.+)\)$", INDEX, re.MULTILINE)
    titles = {anchor(each): each.partition(" · ")[2] for each in HEADINGS}
    assert len(titles) == len(HEADINGS)
    assert sorted((at, title) for title, at in listed) == sorted(titles.items())


def test_each_link_to_an_entry_leads_to_one() -> None:
    anchors = {anchor(each) for each in HEADINGS}
    assert [each for each in re.findall(r"\]\(#([^)]+)\)", PAGE) if each not in anchors] == []


def test_each_entry_has_a_date_and_a_text() -> None:
    for entry in re.split(r"^### ", ENTRIES, flags=re.MULTILINE)[1:]:
        heading, _, text = entry.partition("\n")
        assert re.match(r"2026-\d\d-\d\d · .", heading), heading
        assert text.strip(), heading
