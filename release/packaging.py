"""Packages the stack for the wheel: the output of `sam build`, as `sam package` would write it."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from samcli.lib.samlib.resource_metadata_normalizer import ResourceMetadataNormalizer
from samcli.yamlhelper import yaml_dump, yaml_parse

from portcall.installer.packaged import (
    BUCKET,
    DEFINITION,
    DEFINITION_KEY,
    DESCRIPTION,
    FUNCTIONS,
    FUNCTIONS_KEY,
    TEMPLATE,
)
from release import bytecode

# The oldest date of a zip, so that the same files give the same bytes.
NO_TIME = (1980, 1, 1, 0, 0, 0)
# What installing writes about itself, and Python about what it has imported.
NOT_CODE = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"}


def write(built: Path, folder: Path) -> dict[str, Any]:
    """Write the template, the functions' zip, the workflow and their description; return the description.

    `built` is the template that `sam build` wrote.
    """
    template = yaml_parse(built.read_text())
    code, runtime = _functions(template)
    (workflow,) = {
        each["Properties"]["DefinitionUri"]
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Serverless::StateMachine"
    }
    zipped = archive(built.parent / code, runtime)
    definition = (built.parent / workflow).read_bytes()
    description = {
        "version": template["Metadata"]["Portcall"]["Version"],
        "parameters": list(template["Parameters"]),
        "sha256": {FUNCTIONS: _sha256(zipped), DEFINITION: _sha256(definition)},
    }
    folder.mkdir(exist_ok=True)
    (folder / FUNCTIONS).write_bytes(zipped)
    (folder / DEFINITION).write_bytes(definition)
    (folder / TEMPLATE).write_text(packaged(template))
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n")
    return description


def functions(built: Path) -> tuple[Path, str]:
    """The folder with the code of all functions, and their runtime."""
    code, runtime = _functions(yaml_parse(built.read_text()))
    return built.parent / code, runtime


def packaged(template: dict[str, Any]) -> str:
    """The template as `sam package` writes it, with names to be filled in for the bucket and the keys."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{BUCKET}/{FUNCTIONS_KEY}"
        elif resource["Type"] == "AWS::Serverless::StateMachine":
            resource["Properties"]["DefinitionUri"] = {"Bucket": BUCKET, "Key": DEFINITION_KEY}
    ResourceMetadataNormalizer.normalize(template)
    text: str = yaml_dump(template)
    return text


def archive(folder: Path, runtime: str) -> bytes:
    """The folder as a zip, the same bytes for the same files. It has no bytecode but the runtime's."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archived:
        for path in sorted(each for each in folder.rglob("*") if each.is_file() and _is_code(each, runtime)):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), NO_TIME)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archived.writestr(entry, path.read_bytes())
    return target.getvalue()


def _is_code(path: Path, runtime: str) -> bool:
    about_the_install = path.parent.suffix == ".dist-info" and path.name in NOT_CODE
    return not about_the_install and (path.suffix != ".pyc" or path.name.endswith(bytecode.suffix(runtime)))


def _functions(template: dict[str, Any]) -> tuple[str, str]:
    """The one folder with the functions' code, and their one runtime."""
    kind = "AWS::Serverless::Function"
    (code,) = {each["Properties"]["CodeUri"] for each in template["Resources"].values() if each["Type"] == kind}
    return code, template["Globals"]["Function"]["Runtime"]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
