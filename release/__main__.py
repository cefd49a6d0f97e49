"""`python -m release`: builds the wheel with the stack into dist/, and prints the hashes of its parts."""

import os
import subprocess
import sys
from pathlib import Path

from release import bytecode, packaging

ROOT = Path(__file__).parents[1]
CARRIED = ROOT / "portcall" / "_stack"


def main() -> None:
    tools = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "SAM_CLI_TELEMETRY": "0"}
    build = ROOT / ".aws-sam" / "wheel"
    sam = [
        str(tools / "sam"),
        "build",
        "--config-file",
        str(ROOT / "samconfig.toml"),
        "--build-dir",
        str(build),
    ]
    subprocess.run(
        sam, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    functions, runtime = packaging.functions(build / "template.yaml")
    if not bytecode.add(functions, runtime, tools / "uv"):
        print(f"The functions have no bytecode: uv has no {runtime} and could not get it.", file=sys.stderr)
    description = packaging.write(build / "template.yaml", CARRIED)
    subprocess.run(
        [str(tools / "uv"), "build", "--quiet", "--wheel", *sys.argv[1:]], cwd=ROOT, env=environment, check=True
    )
    for name, digest in description["sha256"].items():
        print(f"{digest}  {name}")


if __name__ == "__main__":
    main()
