"""The template as CloudFormation gets it, with SAM's transform applied."""

import os
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

_UPLOADED = {"Bucket": "uploaded", "Key": "uploaded"}


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def transformed(path: Path) -> Any:
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    template = yaml_parse(path.read_text())
    template["Globals"]["Function"]["CodeUri"] = _UPLOADED
    for resource in template["Resources"].values():
        # `sam deploy` uploads what this points to.
        if "DefinitionUri" in resource.get("Properties", {}):
            resource["Properties"]["DefinitionUri"] = _UPLOADED
    return transform(template, {}, _NoManagedPolicies())
