"""The tables of docs/scale.md, and the burst's of docs/performance.md, are what the results say."""

import pytest

from bench import scale
from bench.reporting import pages


@pytest.mark.parametrize("page", scale.PAGES)
def test_the_tables_are_those_of_the_results(page):
    text = (pages.DOCS / page).read_text()
    assert text == pages.filled(text, scale.PAGES[page]), "python -m bench.scale"


def test_a_table_that_has_no_place_is_noticed():
    with pytest.raises(ValueError, match="bursts"):
        pages.filled("<!-- bursts -->\n|\n", {"bursts": lambda: "|"})


def test_a_table_is_replaced_and_nothing_else():
    page = "before\n<!-- t -->\nold\nlines\n<!-- end of t -->\nafter\n"
    assert pages.filled(page, {"t": lambda: "new"}) == "before\n<!-- t -->\nnew\n<!-- end of t -->\nafter\n"
