"""How the benches print what they measured."""

import statistics


def spread(values: list[float], unit: str = " s") -> str:
    """`median (smallest to largest)`."""
    return f"{statistics.median(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f})"
