"""An app's price per month while it runs, from AWS's list prices."""

from dataclasses import dataclass

from deployer.domain.deployment import Current
from deployer.domain.fargate import Size

# USD an hour in us-east-1: a vCPU and a GB of memory on Linux, by CPU architecture.
# https://aws.amazon.com/fargate/pricing/
PER_HOUR = {"X86_64": (0.04048, 0.004445), "ARM64": (0.03238, 0.00356)}
# https://aws.amazon.com/vpc/pricing/ (public IPv4 address)
ADDRESS_PER_HOUR = 0.005
HOURS = 730
# Spot's price varies; AWS says "up to 70% off".
SPOT = "FARGATE_SPOT"
SPOT_SHARE = 0.3
REGION, AS_OF = "us-east-1", "November 2026"


@dataclass(frozen=True)
class Price:
    """USD a month of 730 hours; Fargate's 20 GB of disk are free, traffic and logs are not counted."""

    task: float
    spot: bool = False
    address: float = round(ADDRESS_PER_HOUR * HOURS, 2)

    @property
    def total(self) -> float:
        """Both together."""
        return round(self.task + self.address, 2)

    @property
    def said(self) -> str:
        """The price in words, with its parts."""
        spot = " Spot, whose price moves," if self.spot else ""
        return (
            f"about {self.total:.2f} USD a month while it runs: Fargate{spot} {self.task:.2f}, "
            f"its public IPv4 address {self.address:.2f} (list prices of {REGION}, {AS_OF})"
        )


def a_month(size: Size, *, architecture: str, capacity: str) -> Price:
    """The price of one task of that size that runs all month."""
    per_vcpu, per_gb = PER_HOUR[architecture]
    hourly = size.cpu / 1024 * per_vcpu + size.memory / 1024 * per_gb
    spot = capacity == SPOT
    return Price(round(hourly * HOURS * (SPOT_SHARE if spot else 1), 2), spot)


def of_current(serving: Current | None) -> Price | None:
    """The price of the current deployment; None if there is none, or if its size was not recorded.

    If there was no Spot capacity, the app runs on FARGATE, which the ledger does not record.
    """
    image = serving.image if serving else {}
    if image.get("architecture") not in PER_HOUR or not {"cpu", "memory", "capacity"} <= image.keys():
        return None
    size = Size(int(image["cpu"]), int(image["memory"]))
    return a_month(size, architecture=image["architecture"], capacity=image["capacity"])
