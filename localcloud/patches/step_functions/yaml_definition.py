"""A state machine's definition in YAML.

MiniStack: accepts only JSON.
AWS: accepts YAML as well.
    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-statemachine.html
Upstream: none known
Kind: core
"""

from __future__ import annotations

import json
from typing import Any

import yaml
from ministack.services.cloudformation import provisioners

from localcloud.patches.patch import Function, patch


@patch(provisioners, "_sfn_definition")
def _as_json(original: Function, properties: dict[str, Any]) -> str:
    # Every JSON document is YAML as well.
    return json.dumps(yaml.safe_load(original(properties)))
