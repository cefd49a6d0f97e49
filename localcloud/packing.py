"""Packs the output of `sam build` once, so that `sam deploy` has little left to do.

It would zip the folder that all functions share once for each of them, and read the template seven times with
Python's slow YAML parser: three of its five seconds of CPU.
"""

import json
import zipfile
from pathlib import Path

import yaml

# The oldest date of a zip, so that the same files give the same bytes, and nothing is uploaded again.
NO_TIME = (1980, 1, 1, 0, 0, 0)
# The fast one is not in every build of PyYAML.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FUNCTION = "AWS::Serverless::Function"


def packed(template: Path) -> Path:
    """Write the template that `sam build` wrote as JSON, with zips in place of folders; return its path."""
    document = yaml.load(template.read_text(), Loader=LOADER)  # noqa: S506 - both are safe
    functions = [each["Properties"] for each in document["Resources"].values() if each["Type"] == FUNCTION]
    for folder in {each["CodeUri"] for each in functions}:
        _zip(template.parent / folder)
    for properties in functions:
        properties["CodeUri"] += ".zip"
    path = template.with_suffix(".json")
    path.write_text(json.dumps(document))
    return path


def _zip(folder: Path) -> None:
    with zipfile.ZipFile(f"{folder}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file() and each.suffix != ".pyc"):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), NO_TIME)
            # As SAM does it: Lambda has to be allowed to read it.
            entry.external_attr = 0o100755 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
