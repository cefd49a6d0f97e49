"""Survivors that no test should catch, each with the reason. Those are left out of the count.

A survivor is known by its module and the lines that it takes away (-) and puts in their place (+). An entry
whose mutant is caught, or is not there any more, makes the run fail: none outlives its reason.
"""

from typing import NamedTuple


class Explained(NamedTuple):
    """`change` is as the report prints it; `why` is the reason."""

    module: str
    change: str
    why: str


EXPLAINED = (
    Explained(
        "deployer.aws.ledger.bounded_sets",
        "- for name, limit in zip(names, limits, strict=True)\n"
        "+ for name, limit in zip(names, limits, strict=False)",
        "Both have an entry for each set.",
    ),
    *(
        Explained(
            "deployer.aws.ledger.known_tags",
            '- def claim_tag(*, table: str, push: Push, as_of: int = 0, instead_of: str = "", seen: bool = True) -> str:\n'
            f'+ def claim_tag(*, table: str, push: Push, as_of: int = {zero}, instead_of: str = "", seen: bool = True) -> str:',
            "The time of the push is later than any of these.",
        )
        for zero in (1, -1)
    ),
    *(
        Explained(
            "deployer.aws.ledger.push_order",
            '- return int(max(order.get("last_number", 0), order.get("last_admitted", 0)))\n'
            f'+ return int(max(order.get("last_number", {one}), order.get("last_admitted", {other})))',
            "The other one is 0 then.",
        )
        for one, other in ((-1, 0), (0, -1))
    ),
    Explained(
        "deployer.domain.sweep",
        "- if known and (known.digest == image.digest or known.as_of > facts.listed_at):\n"
        "+ if known and (known.digest == image.digest or known.as_of >= facts.listed_at):",
        "Within that second nobody knows which was first; the tag is looked at once more before it is deployed.",
    ),
    *(
        Explained(
            "deployer.domain.sweep",
            '- name = "sweep-" + hashlib.sha256(key.encode()).hexdigest()[:40]\n'
            f'+ name = "sweep-" + hashlib.sha256(key.encode()).hexdigest()[: {length}]',
            "Any length of this kind is unique enough and short enough.",
        )
        for length in (39, 41)
    ),
    *(
        Explained(
            "deployer.steps.admit_push",
            '- return {"result": "duplicate", "sequence": 0}\n'
            f'+ return {{"result": "duplicate", "sequence": {number}}}',
            "Nobody reads the number of a push that another execution has.",
        )
        for number in (1, -1)
    ),
)
