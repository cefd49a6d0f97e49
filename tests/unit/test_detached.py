"""What is meant to outlive our process does, and Python does not warn of it as of a leak."""

import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
# Each starts the program argv[1], which runs on, and ends.
DOCKERD = """
import sys
from pathlib import Path
from localcloud.machine import debian, docker_hosts, dockerd
debian.which = lambda name: sys.argv[1]
debian.as_root = lambda: []
docker_hosts.answer = lambda host: "28.0"
dockerd.start(Path(sys.argv[2]), print)
"""
CLOUD = """
import sys
from pathlib import Path
from localcloud import cloud
from localcloud.settings import CloudSettings
cloud.python_for_functions = lambda settings, progress: Path(sys.executable)
cloud._answers = lambda settings: True
sys.executable = sys.argv[1]
cloud.start(CloudSettings(port=1, state_dir=Path(sys.argv[2])), print)
"""


@pytest.mark.parametrize("code", [DOCKERD, CLOUD], ids=["dockerd", "the cloud"])
def test_dockerd_and_the_cloud_outlive_their_starter_without_a_resource_warning(
    tmp_path: Path, code: str
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    program.chmod(0o755)
    command = [
        sys.executable,
        "-W",
        "always::ResourceWarning",
        "-c",
        code,
        str(program),
        str(tmp_path / "state"),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().endswith("\n"):
        assert ended.returncode == 0, ended.stderr
    left = psutil.Process(int((tmp_path / "pid").read_text()))
    assert left.is_running()
    left.kill()
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("package", ["localcloud", "portcall"])
def test_all_others_are_waited_for(package: str) -> None:
    """`Popen` alone belongs to who waits for the process: the functions' processes have their own ends."""
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"(?<!with subprocess\.)\bPopen\(", path.read_text())
    }
    assert found <= {"localcloud/patches/aws_lambda/function_process.py"}
