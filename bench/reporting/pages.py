"""Tables of the docs that are made from bench/results/, between `<!-- name -->` and `<!-- end of name -->`."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def row(*cells: Any) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(map(str, cells))} |"


def table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table in Markdown."""
    names = list(heads)
    return "\n".join([row(*names), f"|{'---|' * len(names)}", *(row(*cells) for cells in rows)])


def filled(page: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """The page, with each table as the results have it; a table without a result stays as it is.

    Raises ValueError where a table has no place.
    """
    for name, made in tables.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"the page has no place for {name}, or several")
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        with contextlib.suppress(FileNotFoundError):
            page = before + begin + made() + end + after
    return page
