"""Draws the plots of the docs from bench/results/: `python -m bench.plots`. Each is named after its result."""

import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

from bench.reporting import results

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
# The same result draws the same file.
mpl.rcParams.update({"svg.hashsalt": "portcall", "svg.fonttype": "none", "font.family": "sans-serif"})
# Distinct for everybody: https://jfly.uni-koeln.de/color/
COLORS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999", "#000000"]
TOO_SHORT_SECONDS = 0.01
# What bench.peers measures, and how it is drawn.
MOMENTS = {"answered": "D", "reported": "o"}


def deployment(kept: dict[str, Any]) -> Any:
    """Where the time of a deployment goes, state by state: medians of all rounds."""
    figure, axes = plt.subplots(figsize=(9, 2.8))
    ways = ("warm", "cold")
    # A choice takes hardly any time.
    states = [name for name, took in kept["cold"][0]["phases"].items() if took > TOO_SHORT_SECONDS]
    for row, way in enumerate(ways):
        left = 0.0
        for number, state in enumerate(states):
            took = statistics.median(each["phases"].get(state, 0.0) for each in kept[way])
            label = state if row == 0 else None
            axes.barh(row, took, left=left, color=COLORS[number % len(COLORS)], label=label, edgecolor="white")
            left += took
    axes.barh(len(ways), statistics.median(kept["by hand"]), color="#BBBBBB")
    axes.set_yticks(range(len(ways) + 1), [*ways, "by hand"])
    axes.set_xlabel("seconds from the push to the mail")
    axes.legend(ncols=4, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.25), frameon=False)
    return figure


def faults(kept: dict[str, Any]) -> Any:
    """The outcomes of each campaign's deployments, and the time until nothing was left to repair."""
    campaigns = [kept[name] for name in sorted(kept)]
    size = (9, 0.6 * len(campaigns) + 1.6)
    figure, (axes, seconds) = plt.subplots(1, 2, figsize=size, sharey=True, width_ratios=(3, 1))
    outcomes = sorted({outcome for each in campaigns for outcome in each["outcomes"]})
    for row, each in enumerate(campaigns):
        left = 0
        for number, outcome in enumerate(outcomes):
            count = each["outcomes"].get(outcome, 0)
            label = outcome if row == 0 else None
            axes.barh(row, count, left=left, color=COLORS[number], label=label, edgecolor="white")
            left += count
        axes.text(left, row, f" {len(each['broken'])} broken\n promises", va="center", fontsize=8)
        took = [one["seconds to reconcile"] for one in each["rounds"]]
        seconds.plot(took, [row] * len(took), "o", color=COLORS[0], alpha=0.6)
    labels = [f"{each['share']:.0%} of calls\n({each['calls']['faulted']:,} faults)" for each in campaigns]
    axes.set_yticks(range(len(campaigns)), labels, fontsize=8)
    axes.set_xlabel("deployments, by outcome")
    axes.margins(x=0.15)
    seconds.set_xlim(left=0)
    seconds.set_xlabel("seconds to reconcile,\neach round")
    axes.legend(ncols=len(outcomes), fontsize=8, loc="lower center", bbox_to_anchor=(0.6, 1), frameon=False)
    return figure


def sweep(kept: dict[str, Any]) -> Any:
    """The calls of a sweep by the number of apps."""
    sizes = [each["apps"] for each in kept["sizes"]]
    calls = [sum(each["well"]["calls"].values()) for each in kept["sizes"]]
    figure, axes = plt.subplots(figsize=(5, 3))
    axes.loglog(sizes, calls, marker="o", color=COLORS[0])
    for size, count in zip(sizes, calls, strict=True):
        axes.annotate(f"{count:,}", (size, count), textcoords="offset points", xytext=(6, -10), fontsize=8)
    axes.set_xlabel("apps that are well")
    axes.set_ylabel("calls of one sweep")
    axes.grid(visible=True, alpha=0.3)
    return figure


def drain(kept: dict[str, Any]) -> Any:
    """How many pushes of a burst are open, against what the quota allows; and how long their mails took."""
    bursts = [each for each in kept["bursts"] if each["burst"]["apps"] > 1 and not each["burst"]["vcpus"]]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for number, each in enumerate(bursts):
        burst, color, curve = each["burst"], COLORS[number % len(COLORS)], each["open"]
        name = f"{burst['pushes']:,} pushes, {burst['apps']:,} apps" + ", 10 functions" * burst["new_account"]
        share = [100 * count / burst["pushes"] for count in curve["pushes"]]
        left.plot([curve["every"] * place for place in range(len(share))], share, color=color, label=name)
        left.axvline(each["quota"] + kept["alone"], color=color, linestyle=":", linewidth=1)
        took = each["mailed after"]
        right.plot(took, [100 * (place + 1) / len(took) for place in range(len(took))], color=color)
    left.set_ylabel("% of the pushes without an outcome")
    left.set_xlabel("seconds since the first push (dotted: what the quota allows)")
    right.set_ylabel("% of the mails")
    right.set_xlabel("seconds from the push to its mail")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlim(left=1)
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
    figure.legend(*left.get_legend_handles_labels(), ncols=3, fontsize=8, loc="upper center", frameon=False)
    figure.subplots_adjust(top=0.82)
    return figure


def peers(kept: dict[str, Any]) -> Any:
    """When the new version answered, and when that was reported: a dot for each round, lines at medians."""
    ways = list(kept["turns"])
    figure, axes = plt.subplots(figsize=(9, 0.55 * len(ways) + 1.2))
    for row, way in enumerate(reversed(ways)):
        for offset, (name, marker) in zip((0.16, -0.16), MOMENTS.items(), strict=True):
            seconds = [turn[name] for turn in kept["turns"][way]]
            color = COLORS[ways.index(way)]
            filled = color if name == "reported" else "none"
            axes.scatter(
                seconds, [row + offset] * len(seconds), marker=marker, facecolors=filled, edgecolors=color
            )
            middle = statistics.median(seconds)
            axes.vlines(middle, row + offset - 0.14, row + offset + 0.14, color=color)
            axes.text(max(seconds), row + offset, f"   {middle:.2f} s", va="center", fontsize=7)
    axes.set_yticks(range(len(ways)), list(reversed(ways)), fontsize=8)
    axes.set_xlim(left=0)
    axes.margins(x=0.1)
    axes.grid(visible=True, axis="x", alpha=0.3)
    axes.set_xlabel("seconds until the new version answers (hollow) and until that is reported (filled)")
    return figure


PLOTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "deployment": deployment,
    "sweep": sweep,
    "drain": drain,
    "peers": peers,
}


def main() -> None:
    missing = []
    for name in PLOTS:
        try:
            draw(name)
        except FileNotFoundError:
            missing.append(name)
    if campaigns := {
        path.stem: results.read(path.stem)["result"] for path in results.FOLDER.glob("faults-*.json")
    }:
        _save("faults", faults(campaigns))
    if missing:
        sys.exit(f"No results of {', '.join(missing)} yet: python -m bench, bench.peers, bench.sweep")


def draw(name: str) -> None:
    """Raises FileNotFoundError where there is no result."""
    _save(name, PLOTS[name](results.read(name)["result"]))


def _save(name: str, figure: Any) -> None:
    path = PICTURES / f"{name}.svg"
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    print(path)


if __name__ == "__main__":
    main()
