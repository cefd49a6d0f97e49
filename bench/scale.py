"""Writes the tables of docs/scale.md, and two of docs/performance.md, from bench/results/.

`python -m bench.scale`, after bench.drain, bench.sweep, bench.fleet and bench.burst.
"""

from typing import Any

from bench.measurements.burst_figures import Figures
from bench.reporting import pages, results
from bench.simulated import bursts, sweeps

# Bursts with real containers, within AWS's rates.
REAL = "burst-*-within-rates*.json"


def _read(name: str) -> Any:
    return results.read(name)["result"]


def caps() -> str:
    """What limits the apps of one install."""
    rows = ((each["what"], f"{each['apps']:,}", each["remedy"]) for each in _read("fleet")["caps"])
    return pages.table(("limit", "apps", "what to do"), rows)


def simulated_bursts() -> str:
    """Bursts in simulated time."""
    kept = _read("drain")
    return bursts.table(kept["bursts"], kept["alone"])


def real_bursts() -> str:
    """Bursts with real containers."""
    heads = ("pushes over apps", "drained", "the quota allows", "times that", "outcomes", "throttled", "load")
    rows = []
    for path in sorted(results.FOLDER.glob(REAL)):
        kept = results.read(path.stem)
        each = kept["result"]
        rows.append(
            (
                f"{each['pushes']:,} over {each['apps']:,}"
                + ", ten functions at once" * path.stem.endswith("new-account"),
                f"{each['drained']:.0f} s",
                f"{each['quota']:.0f} + {each['alone']:.0f} s",
                f"{each['times the quota']:.2f}",
                ", ".join(f"{count:,} {outcome}" for outcome, count in each["outcomes"].items()),
                ", ".join(f"{count:,} {bucket}" for bucket, count in sorted(each["throttled"].items())),
                kept["load"],
            )
        )
    return pages.table(heads, rows)


def sweep_costs() -> str:
    """Calls and cost of a sweep as apps grow."""
    return sweeps.table(_read("sweep")["sizes"])


def months() -> str:
    """What many apps cost a month."""
    kept = _read("fleet")
    names = {
        "the apps themselves": "the apps themselves, on ARM with their addresses",
        "deployments": "deployments, one a day of each app, every function cold "
        f"(${1000 * kept['deployment']:.2f} per 1,000)",
        "sweeps": "sweeps",
    }
    return pages.table(("a month", "USD"), ((names[key], f"{usd:,.0f}") for key, usd in kept["month"].items()))


def burst() -> str:
    """A burst without AWS's rates, as fast as the machine can."""
    known = {name: value for name, value in _read("burst-200-50").items() if name in Figures.__annotations__}
    return Figures(**known).table()


def short_sweeps() -> str:
    """The sweep, in short."""
    rows = []
    for each in _read("sweep")["sizes"]:
        made, took = each["well"]["calls"], each["well"]["simulated seconds"]
        calls, month = sum(made.values()), sweeps.cost(made, sweeps.INTERVALS[0])
        rows.append(
            (f"{each['apps']:,}", f"{calls:,}", f"{calls / each['apps']:.2f}", f"{took:.1f} s", f"${month:.2f}")
        )
    return pages.table(("apps", "calls", "calls an app", "simulated", "a month, calculated"), rows)


PAGES = {
    "scale.md": {
        "limits": caps,
        "bursts": simulated_bursts,
        "bursts with containers": real_bursts,
        "sweeps": sweep_costs,
        "months": months,
    },
    "performance.md": {"a burst": burst, "sweeps": short_sweeps},
}


def main() -> None:
    for name, tables in PAGES.items():
        path = pages.DOCS / name
        path.write_text(pages.filled(path.read_text(), tables))
        print(path)


if __name__ == "__main__":
    main()
