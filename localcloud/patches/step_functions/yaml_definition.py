"""A state machine's definition in YAML.

MiniStack: reads JSON alone.
AWS: takes YAML as well.
    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-statemachine.html
Upstream: none known
Kind: core
"""

from __future__ import annotations

import json
from typing import Any

import yaml
from ministack.services.cloudformation import provisioners

from localcloud.options import Settings
from localcloud.patches.patch import Function, wrap


def install(settings: Settings) -> None:
    def as_json(original: Function) -> Function:
        def _sfn_definition(properties: dict[str, Any]) -> str:
            # Every JSON document is YAML as well.
            return json.dumps(yaml.safe_load(original(properties)))

        return _sfn_definition

    wrap(provisioners, "_sfn_definition", as_json)
