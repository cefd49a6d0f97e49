"""The stack in this package: its template, the functions' zip, the workflow."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from portcall.core.trouble import Trouble

FOLDER = Path(__file__).parents[1] / "_stack"
TEMPLATE, FUNCTIONS, DEFINITION, DESCRIPTION = "packaged.yaml", "functions.zip", "deploy.asl.yaml", "stack.json"
# Placeholders in the template for values that are known at the upload.
BUCKET, FUNCTIONS_KEY, DEFINITION_KEY = "PORTCALL_BUCKET", "PORTCALL_FUNCTIONS", "PORTCALL_DEFINITION"


@dataclass(frozen=True)
class Packaged:
    """`parameters` are the names of the template's parameters."""

    version: str
    parameters: list[str]
    template: str = field(repr=False)
    functions: bytes = field(repr=False)
    definition: bytes = field(repr=False)

    @classmethod
    def load(cls, folder: Path = FOLDER) -> "Packaged":
        """Load it. Raises Trouble if it is missing or damaged."""
        try:
            description = json.loads((folder / DESCRIPTION).read_text())
            content = {name: (folder / name).read_bytes() for name in (FUNCTIONS, DEFINITION)}
            template = (folder / TEMPLATE).read_text()
        except FileNotFoundError as error:
            raise Trouble(
                "This portcall runs from its repository, and so does not contain the stack. Install with `sam "
                "build && sam deploy`, as README.md says, or make a package that contains it: make wheel"
            ) from error
        for name, expected in description["sha256"].items():
            if hashlib.sha256(content[name]).hexdigest() != expected:
                raise Trouble(f"{folder / name} is not the released file. Install portcall again.")
        return cls(
            description["version"], description["parameters"], template, content[FUNCTIONS], content[DEFINITION]
        )

    def uploads(self, prefix: str) -> dict[str, bytes]:
        """The files that the template refers to: key -> content. The same content has the same key."""
        return {
            _key(prefix, self.functions, "zip"): self.functions,
            _key(prefix, self.definition, "asl.yaml"): self.definition,
        }

    def template_upload(self, bucket: str, prefix: str) -> dict[str, bytes]:
        """The same for the template itself."""
        content = self.template_for(bucket, prefix).encode()
        return {_key(prefix, content, "template.yaml"): content}

    def template_for(self, bucket: str, prefix: str) -> str:
        """The template that refers to the uploads in a bucket."""
        functions, definition = self.uploads(prefix)
        filled = self.template.replace(FUNCTIONS_KEY, functions).replace(DEFINITION_KEY, definition)
        return filled.replace(BUCKET, bucket)


def _key(prefix: str, content: bytes, extension: str) -> str:
    return f"{prefix}/{hashlib.sha256(content).hexdigest()[:32]}.{extension}"
