"""CreateStateMachine refuses the definitions that Step Functions would refuse.

MiniStack: accepts any JSON.
AWS: answers InvalidDefinition.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
Upstream: none known, ready to send:
    docs/upstream/step-functions-invalid-definition.md
Kind: fidelity
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from localcloud.patches.patch import Function, patch
from localcloud.state_language import problems


def _refusal(definition: Any) -> str | None:
    try:
        found = problems(json.loads(definition or ""))
    except (TypeError, ValueError) as error:
        found = [f"INVALID_JSON_DESCRIPTION: {error}"]
    return f"Invalid State Machine Definition: '{'; '.join(found)}'" if found else None


@patch(stepfunctions, "_validate_definition_jsonata")
def _refuse(original: Function, definition: Any) -> str | None:
    return original(definition) or _refusal(definition)


@patch(provisioners, "_sfn_definition")
def _refuse_in_a_stack(original: Function, properties: dict[str, Any]) -> str:
    definition = str(original(properties))
    refused = _refusal(definition)
    if refused:
        raise ValueError(f"{refused} (Service: AWSStepFunctions; Error Code: InvalidDefinition)")
    return definition
