"""Policies that are parsed once.

MiniStack: parses all policies of the caller twice in each call.
AWS: does not say how it reads them; the decisions are the same.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
Upstream: none known
Kind: speed
"""

from __future__ import annotations

import functools
from typing import Any

from ministack.core import iam_evaluator

from localcloud.patches.patch import Function, patch


@patch(iam_evaluator, "parse_policy_document")
def _once(original: Function, document: Any) -> Any:
    return _parsed(original, document) if isinstance(document, str) else original(document)


@functools.lru_cache(maxsize=1000)
def _parsed(parse: Function, document: str) -> Any:
    return parse(document)
