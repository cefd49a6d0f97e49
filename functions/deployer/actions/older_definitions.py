"""Branches that an older definition of the workflow takes for failures.

After an update, executions continue with the definition that they began with, and call the new functions. A
definition from before BranchError catches it like a failure and enters RollBack, which must neither stop nor
mail anything then.
"""

from deployer.actions import failure_facts, outcomes, recorded_pushes, superseded
from deployer.domain.document import Document
from deployer.domain.errors import (
    DuplicateError,
    HeldError,
    NotAnAppError,
    NotNewestError,
    SameImageError,
    SupersededError,
)
from deployer.domain.superseded import NEWER_PUSH

BRANCHES = (DuplicateError, HeldError, NotAnAppError, NotNewestError, SameImageError, SupersededError)


def record_branch(document: Document, error: str) -> bool:
    """Whether the caught error ended the deployment without a failure; its outcome is recorded then.

    The steps that raise the other branches have recorded them already.
    """
    if error == NotAnAppError.__name__:
        outcomes.ignore(failure_facts.push_of(document))
    elif error == HeldError.__name__:
        recorded_pushes.record(failure_facts.push_of(document), document.get("asked") or {})
    elif error == NotNewestError.__name__:
        push = failure_facts.push_of(document)
        superseded.supersede(push, **outcomes.so_far(document, reason=NEWER_PUSH))
    return error in {each.__name__ for each in BRANCHES}
