"""A task has a size that Fargate offers, and that the install allows."""

import json
from importlib.metadata import distribution
from pathlib import Path

import pytest
from deployer.domain.errors import BadLabelError
from deployer.domain.fargate import MEMORY, Size, size
from hypothesis import given
from hypothesis import strategies as st

DEFAULT, LIMIT = Size(256, 512), Size(16384, 122880)


def sized(cpu=None, memory=None, default=DEFAULT, limit=LIMIT):
    found = size(cpu, memory, default=default, limit=limit)
    return found.cpu, found.memory


def test_the_table_is_the_one_that_cfn_lint_knows():
    # Found without importing it, which takes more than a second.
    rules = "cfnlint/data/schemas/extensions/aws_ecs_taskdefinition/fargate_cpu_memory.json"
    schema = json.loads(Path(distribution("cfn-lint").locate_file(rules)).read_text())
    pairs = [option["properties"] for option in schema["then"]["anyOf"]]
    known = {int(pair["Cpu"]["then"]["enum"][0]): pair["Memory"]["then"] for pair in pairs}
    assert MEMORY.keys() == known.keys()
    for cpu, memory in known.items():
        steps = memory.get("multipleOf") and range(
            memory["minimum"], memory["maximum"] + 1, memory["multipleOf"]
        )
        assert list(MEMORY[cpu]) == list(steps or memory["enum"])


def test_without_labels_the_default_stands():
    assert sized() == (256, 512)
    assert sized(default=Size(1024, 4096)) == (1024, 4096)


def test_a_pair_that_is_sold_is_taken():
    assert sized(1024, 8192) == (1024, 8192)


@pytest.mark.parametrize(
    ("cpu", "memory", "default", "expected"),
    [
        (512, None, DEFAULT, (512, 1024)),
        (512, None, Size(1024, 3072), (512, 3072)),
        (256, None, Size(2048, 16384), (256, 2048)),
        (None, 1024, DEFAULT, (256, 1024)),
        (None, 8192, DEFAULT, (1024, 8192)),
        (None, 4096, Size(2048, 16384), (2048, 4096)),
        (None, 512, Size(2048, 16384), (256, 512)),
    ],
)
def test_the_partner_of_one_is_the_smallest_that_is_not_below_the_default(cpu, memory, default, expected):
    assert sized(cpu, memory, default) == expected


def test_the_partner_stays_within_the_limit():
    assert sized(8192, None, Size(4096, 30720), Size(16384, 31000)) == (8192, 28672)
    assert sized(512, None, Size(256, 1024), Size(512, 1024)) == (512, 1024)


@pytest.mark.parametrize(
    ("cpu", "memory", "limit", "words"),
    [
        (1024, 512, LIMIT, "portcall.memory is 512 MiB.*with 1024 CPU: 2048 to 8192 MiB in steps of 1024"),
        (256, 4096, LIMIT, "with 256 CPU: 512, 1024, 2048 MiB"),
        (None, 1500, LIMIT, "portcall.memory is 1500 MiB.*nearest sizes are 1024 and 2048 MiB"),
        (None, 1, LIMIT, "nearest sizes are 512 and 1024 MiB"),
        (4096, None, Size(2048, 8192), r"portcall.cpu is 4096, but.*allows at most 2048.*MaxCpu"),
        (None, 9216, Size(2048, 8192), r"portcall.memory is 9216 MiB, but.*allows at most 8192 MiB.*MaxMemory"),
        (4096, None, Size(4096, 4096), "portcall.cpu is 4096.*8192 MiB or more.*allows 4096.*MaxMemory"),
        (None, 8192, Size(512, 8192), "portcall.memory is 8192 MiB.*1024 CPU units or more.*allows 512.*MaxCpu"),
    ],
)  # fmt: skip
def test_an_impossible_size_is_refused_with_the_allowed_sizes_or_limit(cpu, memory, limit, words):
    with pytest.raises(BadLabelError, match=words):
        sized(cpu, memory, limit=limit)


@given(
    st.none() | st.sampled_from(list(MEMORY)),
    st.none() | st.integers(1, 200_000),
    st.sampled_from([Size(cpu, memory) for cpu, sold in MEMORY.items() for memory in sold]),
    st.sampled_from([Size(cpu, memory) for cpu, sold in MEMORY.items() for memory in sold]),
)
def test_every_size_is_sold_and_within_the_limit(cpu, memory, one, other):
    limit = Size(max(one.cpu, other.cpu), max(one.memory, other.memory))
    try:
        found = size(cpu, memory, default=one, limit=limit)
    except BadLabelError:
        return
    assert found.memory in MEMORY[found.cpu]
    assert found.cpu <= limit.cpu
    assert found.memory <= limit.memory
    assert cpu in (None, found.cpu)
    assert memory in (None, found.memory)
