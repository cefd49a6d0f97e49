"""The tables of docs/reliability.md are what the results say."""

from bench import reliability


def test_the_tables_are_those_of_the_results() -> None:
    page = reliability.PAGE.read_text()
    assert page == reliability.filled(page), "python -m bench.reliability"


def test_each_table_is_there() -> None:
    page = reliability.PAGE.read_text()
    assert [page.count(f"<!-- {each}campaigns -->") for each in ("", "end of ")] == [1, 1]
    assert [page.count(f"<!-- {each}outages -->") for each in ("", "end of ")] == [1, 1]
