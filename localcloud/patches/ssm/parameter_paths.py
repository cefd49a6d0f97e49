"""DescribeParameters by Path.

MiniStack: always returns all levels below the path.
AWS: returns one level, and all levels only with Recursive.
    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html
Upstream: none known, ready to send:
    docs/upstream/ssm-describe-parameters-path.md
Kind: fidelity
"""

from __future__ import annotations

from typing import Any

from ministack.services import ssm

from localcloud.patches.patch import Function, patch


@patch(ssm, "_apply_filter")
def _this_level(original: Function, param: dict[str, Any], key: str, option: str, values: list[str]) -> bool:
    found = bool(original(param, key, option, values))
    if key != "Path" or option == "Recursive":
        return found
    folder = param["Name"].rpartition("/")[0]
    return found and any(folder == value.rstrip("/") for value in values)
