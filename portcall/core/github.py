"""Writes annotations, outputs and summaries for GitHub Actions; text of other people is escaped.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

import html
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

# The runner reads `##[error]` anywhere in a line of output, and `::error::` at its beginning, also on standard
# error: https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
_OLD_COMMAND = "##["
_FENCE = re.compile("`+")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>@:/])")


def is_here() -> bool:
    """Whether this runs in a step of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def harmless(line: str) -> str:
    """The line, changed so that the runner finds no command in it."""
    begins = line.lstrip()
    return ("| " + begins if begins.startswith("::") else line).replace(_OLD_COMMAND, "## [")


def annotation(title: str, message: str) -> str:
    """`::error title=...::...`, on one line."""
    return f"::error title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.replace(_OLD_COMMAND, "## [")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def write_outputs(values: Mapping[str, str]) -> None:
    """Add the step's outputs to the file that `GITHUB_OUTPUT` names, if there is one."""
    _append("GITHUB_OUTPUT", "".join(_output(name, value) for name, value in values.items()))


def _output(name: str, value: str) -> str:
    # A random delimiter, which the value cannot contain.
    end = f"end_{secrets.token_hex(16)}"
    return f"{name}<<{end}\n{value}\n{end}\n"


def write_summary(markdown: str) -> None:
    """Add to the job's summary, if there is a file for it."""
    _append("GITHUB_STEP_SUMMARY", markdown)


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def word(text: str) -> str:
    """Escaped text for a line or a cell of Markdown."""
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def fenced(text: str) -> str:
    """The lines in a code fence that is longer than any fence in them."""
    longest = max((len(found) for found in _FENCE.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}\n"
