"""The task sizes that Fargate offers.

Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
"""

from collections.abc import Sequence
from dataclasses import dataclass

from deployer.domain.errors import BadLabelError

# CPU units (1024 = one vCPU): the MiB that Fargate offers with them, ascending.
MEMORY: dict[int, Sequence[int]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}
SIZES = sorted({size for sold in MEMORY.values() for size in sold})


@dataclass(frozen=True)
class Size:
    """CPU units and MiB."""

    cpu: int
    memory: int


def size(cpu: int | None, memory: int | None, *, default: Size, limit: Size) -> Size:
    """The size of a task for the labels portcall.cpu and portcall.memory, each None if it is not set.

    If only one is set, the other is the smallest possible one that is not below the default. Raises
    BadLabelError for a size that Fargate does not offer, or that is above the install's limit. The default
    itself is not checked.
    """
    if cpu is not None and cpu > limit.cpu:
        raise _above("cpu", cpu, limit.cpu, "MaxCpu")
    if memory is not None and memory > limit.memory:
        raise _above("memory", memory, limit.memory, "MaxMemory")
    if cpu is not None and memory is not None:
        if memory not in MEMORY[cpu]:
            raise BadLabelError(
                f"The label portcall.memory is {memory} MiB. Fargate does not offer that with the "
                f"{cpu} CPU units of portcall.cpu; it offers {_sold_with(cpu)}."
            )
        return Size(cpu, memory)
    if cpu is not None:
        return Size(cpu, _memory_for(cpu, default.memory, limit.memory))
    if memory is not None:
        return Size(_cpu_for(memory, default.cpu, limit.cpu), memory)
    return default


def _memory_for(cpu: int, wanted: int, limit: int) -> int:
    allowed = [size for size in MEMORY[cpu] if size <= limit]
    if not allowed:
        raise BadLabelError(
            f"The label portcall.cpu is {cpu}. Fargate offers that with {MEMORY[cpu][0]} MiB or more, "
            f"but this install allows {limit}. Deploy Portcall with a larger MaxMemory."
        )
    return _nearest(allowed, wanted)


def _cpu_for(memory: int, wanted: int, limit: int) -> int:
    selling = [cpu for cpu, sold in MEMORY.items() if memory in sold]
    if not selling:
        near = sorted(sorted(SIZES, key=lambda size: abs(size - memory))[:2])
        raise BadLabelError(
            f"The label portcall.memory is {memory} MiB, which Fargate does not offer. The nearest "
            f"sizes are {near[0]} and {near[1]} MiB."
        )
    allowed = [cpu for cpu in selling if cpu <= limit]
    if not allowed:
        raise BadLabelError(
            f"The label portcall.memory is {memory} MiB. Fargate offers that with {selling[0]} CPU "
            f"units or more, but this install allows {limit}. Deploy Portcall with a larger "
            "MaxCpu."
        )
    return _nearest(allowed, wanted)


def _nearest(allowed: Sequence[int], wanted: int) -> int:
    """The smallest allowed value that is not below the wanted one, or the largest if all are below."""
    return next((each for each in allowed if each >= wanted), allowed[-1])


def _above(label: str, asked: int, limit: int, parameter: str) -> BadLabelError:
    unit = " MiB" if label == "memory" else ""
    return BadLabelError(
        f"The label portcall.{label} is {asked}{unit}, but this install allows at most "
        f"{limit}{unit}. Request less, or deploy Portcall with a larger {parameter}."
    )


def _sold_with(cpu: int) -> str:
    """`with 1024 CPU: 2048 to 8192 MiB in steps of 1024`."""
    sold = MEMORY[cpu]
    if isinstance(sold, range):
        return f"with {cpu} CPU: {sold[0]} to {sold[-1]} MiB in steps of {sold.step}"
    return f"with {cpu} CPU: {', '.join(map(str, sold))} MiB"
