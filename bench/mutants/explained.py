"""Survivors that no test should catch, each with the reason. They do not count.

A survivor is identified by its module, the removed lines (-) and the new lines (+). If its mutant is caught, or
does not exist any more, the run fails, so that no entry is out of date.
"""

from typing import NamedTuple


class Explained(NamedTuple):
    """`change` is as the report prints it; `why` is the reason."""

    module: str
    change: str
    why: str


EXPLAINED = (
    Explained(
        "deployer.actions.sweep_facts",
        "+ taken = ledger.taken_slots()\n- taken = ledger.taken_slots()",
        "Whether a slot is freed depends on what is read of the app itself, later.",
    ),
    Explained(
        "deployer.aws.ledger.bounded_sets",
        "- for name, limit in zip(names, limits, strict=True)\n"
        "+ for name, limit in zip(names, limits, strict=False)",
        "Both have an entry for each set.",
    ),
    *(
        Explained(
            "deployer.aws.ledger.deployment_records",
            '- PaginationConfig={"MaxItems": most, "PageSize": min(most, 100)},\n'
            f'+ PaginationConfig={{"MaxItems": most, "PageSize": min(most, {size})}},',
            "Pages are as large as a reader likes: the result is the same.",
        )
        for size in (99, 101)
    ),
    *(
        Explained(
            "deployer.aws.ledger.known_tags",
            '- def claim_tag(*, push: Push, as_of: int = 0, instead_of: str = "", seen: bool = True) -> str:\n'
            f'+ def claim_tag(*, push: Push, as_of: int = {zero}, instead_of: str = "", seen: bool = True) -> str:',
            "The time of the push is later than any of these.",
        )
        for zero in (1, -1)
    ),
    Explained(
        "deployer.aws.ledger.operations",
        "- class Request(TypedDict, total=False):\n+ class Request(TypedDict, total=True):",
        "It is for mypy: nothing looks at it at run time.",
    ),
    *(
        Explained(
            "deployer.aws.ledger.push_order",
            '- number = max(number, order.get("last_number", 0) + 1, order.get("last_admitted", 0) + 1)\n'
            f'+ number = max(number, order.get("last_number", {last}) + 1, order.get("last_admitted", {admitted}) + 1)',
            "No push has so small a number.",
        )
        for last, admitted in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ),
    Explained(
        "deployer.domain.missed_pushes",
        "- if known and (known.digest == image.digest or known.as_of > facts.listed_at):\n"
        "+ if known and (known.digest == image.digest or known.as_of >= facts.listed_at):",
        "Within that second it is not known which was first; the tag is looked at once more before it is deployed.",
    ),
    *(
        Explained(
            "deployer.domain.missed_pushes",
            '- name = "sweep-" + hashlib.sha256(key.encode()).hexdigest()[:40]\n'
            f'+ name = "sweep-" + hashlib.sha256(key.encode()).hexdigest()[: {length}]',
            "Any length of this kind is unique enough and short enough.",
        )
        for length in (39, 41)
    ),
    *(
        Explained(
            "deployer.steps.admit_push",
            '- as_of = int(document.get("found", {}).get("at", 0))\n'
            f'+ as_of = int(document.get("found", {{}}).get("at", {zero}))',
            "The time of the push is later than any of these.",
        )
        for zero in (1, -1)
    ),
    Explained(
        "deployer.steps.admit_push",
        "+ before = _attempt_before(push, retry) if retry else None\n"
        "- before = _attempt_before(push, retry) if retry else None",
        "No event is a restart and a further attempt, and whichever look refuses it does so in the same words.",
    ),
    Explained(
        "deployer.steps.admit_push",
        "+ drawn = ledger.next_in_order(push=push, now=time.time())\n"
        "- drawn = ledger.next_in_order(push=push, now=time.time())",
        "A refused push then has a number, which is not read: RollBack puts it on the list anyway.",
    ),
    *(
        Explained(
            "deployer.steps.switch_over",
            "- return dataclasses.replace(new, version=(seen.version if seen else 0) + 1)\n"
            f"+ return dataclasses.replace(new, version=(seen.version if seen else {zero}) + 1)",
            "Where nothing served before there is no task to stop, and nothing else reads the version.",
        )
        for zero in (1, -1)
    ),
    Explained(
        "deployer.steps.switch_over",
        "+ described = ecs.describe_task(cluster=config.cluster, task=task)\n"
        "- described = ecs.describe_task(cluster=config.cluster, task=task)",
        "Both are asked, and one that says that the task has stopped is enough.",
    ),
    Explained(
        "deployer.actions.sweep_acts",
        "- assert_never(act)\n+ pass",
        "It is for mypy: no act comes this far.",
    ),
    Explained(
        "deployer.steps.switch_over",
        '- pin=holds.pin_of(seen, push.digest, event.get("asked") or {}, restart="restart" in event),\n'
        '+ pin=holds.pin_of(seen, push.digest, event.get("asked") or {}),',
        "A restart has the digest of what it restarts, which is the one that is pinned.",
    ),
    *(
        Explained(
            f"deployer.actions.{module}",
            '- sequence = document.get("admission", {}).get("sequence", 0)\n'
            f'+ sequence = document.get("admission", {{}}).get("sequence", {zero})',
            "No push has so small a number, by which another would be the older one.",
        )
        for module, zero in (("failure_cleanup", -1), ("failure_facts", 1), ("failure_facts", -1))
    ),
    Explained(
        "deployer.actions.failure_cleanup",
        "+ others = failure_facts.superseded_pushes(document, push)\n"
        "- others = failure_facts.superseded_pushes(document, push)",
        "A push that is superseded between the two places is named by the sweep's mail instead.",
    ),
    Explained(
        "deployer.actions.failure_cleanup",
        "+ where = failure_facts.context(document, push, task.value, words.value.task, until)\n"
        "- where = failure_facts.context(document, push, task.value, words.value.task, until)",
        "It asks nobody: it says the same whenever it is called.",
    ),
    Explained(
        "deployer.actions.failure_facts",
        "+ log = _tail(stream)\n- log = _tail(stream)",
        "The log of an app that has ended by itself is read again after both; the others end later than both, or have no log.",
    ),
    Explained(
        "deployer.actions.failure_cleanup",
        "- if was_read and 0 < sequence < ledger.newest(app=push.app):\n"
        "+ if was_read and 1 < sequence < ledger.newest(app=push.app):",
        "No push has the number 1.",
    ),
    Explained(
        "deployer.domain.failed_deployment",
        '- return int(document.get("retry", {}).get("attempt", 1))\n'
        '+ return int(document.get("retry", {}).get("attempt", 0))',
        "The first attempt is below each limit, whichever of the two it is called.",
    ),
)
