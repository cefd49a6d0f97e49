"""Makes the output of `make demo` in the README again, from a real run: `make readme`.

The run has a folder, a port and a cloud of its own. What it printed is kept in `docs/outputs/`, which a test
compares with the README. It is shown up to the hints at its end, without phases that took no time, with the
default port, and with long lines cut.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from localcloud.settings import CloudSettings

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
KEPT = ROOT / "docs/outputs/demo.txt"
BEGIN, END = "<!-- made by `make readme`: -->\n\n```\n", "```\n"
MAX_LINE = 120


def main() -> None:
    """Run the demo, keep what it printed, and write it into the README."""
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(shown(*demo()))
    README.write_text(with_output(README.read_text(), KEPT.read_text()))


def demo() -> tuple[str, int]:
    """What `portcall demo` printed, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="portcall-readme-"))
    CloudSettings(port=port, state_dir=folder).save()
    environment = {**os.environ, "PORTCALL_STATE_DIR": str(folder), "COLUMNS": "80"}
    portcall = str(Path(sys.executable).with_name("portcall"))
    try:
        ended = subprocess.run([portcall, "demo"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    finally:
        subprocess.run([portcall, "down"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)
    if ended.returncode or not ended.stdout:
        sys.exit(f"The demo failed:\n{ended.stdout}")
    return ended.stdout, port


def shown(printed: str, port: int) -> str:
    """What the README shows of it; ends with a line end."""
    before_hints, _, _ = printed.partition("\nIt keeps running.")
    text = before_hints.replace(f"localhost:{port}", f"localhost:{CloudSettings.port}")
    lines = [line for line in text.strip("\n").splitlines() if not line.endswith(" … ✓ 0.0 s")]
    return "".join(f"{cut(line)}\n" for line in lines)


def cut(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= MAX_LINE else line[: line.rindex(" ", 0, MAX_LINE - 3)] + " ..."


def with_output(readme: str, output: str) -> str:
    """The README with another output in the place of the one that it shows."""
    block = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if len(block.findall(readme)) != 1:
        sys.exit(f"README.md has no place for the output: {BEGIN!r}")
    return block.sub(lambda _: f"{BEGIN}{output}{END}", readme)


if __name__ == "__main__":
    main()
