"""Writes the tables of docs/reliability.md from bench/results/: `python -m bench.reliability`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.reporting import results

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"


def campaigns() -> Iterator[str]:
    """A row for each campaign."""
    heads = ("Share", "Seed", "Pushes", "Ran a task", "Spoiled calls", "Lost events", "Aborted", "Killed")
    yield from _head(*heads, "Deployments, by outcome", "Sweeps", "Broken promises")
    for path in sorted(results.FOLDER.glob("faults-*.json")):
        each = results.read(path.stem)["result"]
        aborted, killed = each["executions aborted in"], each["processes of functions killed"]
        outcomes = ", ".join(f"{count} {name}" for name, count in each["outcomes"].items())
        yield _row(
            f"{each['share']:.0%}",
            each["seed"],
            f"{each['pushes']:,}",
            f"{each['deployments that ran a task']:,}",
            f"{each['calls']['faulted']:,} of {each['calls']['total']:,}",
            sum(each["events lost"].values()),
            f"{sum(aborted.values())} in {len(aborted)} states",
            f"{sum(killed.values())} functions, {each['containers killed']} containers",
            outcomes,
            max(each["sweeps with something to do"] for each in each["rounds"]),
            len(each["broken"]),
        )


def outages() -> Iterator[str]:
    """A row for each outage; none where they were not played."""
    if not (results.FOLDER / "outages.json").exists():
        return
    heads = ("What happens", "Deployments, by outcome", "Emails", "Sweeps", "Seconds", "Broken promises")
    yield from _head(*heads)
    for each in results.read("outages")["result"]["outages"].values():
        yield _row(
            each["what"],
            ", ".join(f"{count} {name}" for name, count in each["outcomes"].items()),
            f"{len(each['mails'])}, such as *{each['mails'][0].partition(': http')[0]}*",
            each["sweeps with something to do"],
            each["seconds from the outage until all was well"],
            len(each["broken"]),
        )


def _head(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield f"|{'---|' * len(names)}"


def _row(*cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def filled(page: str) -> str:
    """The page, with each table as the results have it."""
    for name, rows in (("campaigns", campaigns), ("outages", outages)):
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        page = before + begin + "".join(f"{row}\n" for row in rows()) + end + after
    return page


def main() -> None:
    PAGE.write_text(filled(PAGE.read_text()))
    print(PAGE)


if __name__ == "__main__":
    main()
