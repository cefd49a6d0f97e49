"""Everything that is installed, here and in AWS, is what the lock file says, byte for byte."""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))
LOCK = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
REQUIREMENTS = (ROOT / "functions" / "requirements.txt").read_text()


def exported(*options: str) -> str:
    command = [UV, "export", "--quiet", "--frozen", "--only-group", "functions", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def pinned(requirements: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", requirements, re.MULTILINE))


def test_the_functions_requirements_are_the_lock_files() -> None:
    """Fails after a change of uv.lock: make requirements."""
    lines = REQUIREMENTS.splitlines(keepends=True)
    assert lines[0].startswith("#")
    assert "".join(lines[1:]) == exported("--no-header", "--no-annotate")


def test_each_of_them_is_pinned_with_hashes() -> None:
    requirements = re.findall(r"^(?!#)\S.*(?:\n .*)*", REQUIREMENTS, re.MULTILINE)
    assert len(requirements) == len(pinned(REQUIREMENTS)) > 1
    assert all(re.search(r"==\S+.*--hash=sha256:[0-9a-f]{64}", each, re.DOTALL) for each in requirements)


def test_everything_in_the_lock_file_has_a_hash() -> None:
    assert len(LOCK) > 50
    for package in LOCK:
        if "registry" in package["source"]:
            files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
            assert files, package["name"]
            assert all(each["hash"].startswith("sha256:") for each in files), package["name"]
        else:
            assert package["name"] == "portcall"


def test_nothing_is_installed_past_the_lock_file() -> None:
    files = ["bootstrap.sh", "Makefile", ".ci/run", "localcloud/cloud.py"]
    for name in files:
        text = (ROOT / name).read_text()
        # A command continues behind a backslash, and in Python to the end of its statement.
        for command in re.findall(r"pip[\" ,]+install(?:[^\n\\]|\\\n)*|uv sync(?:[^\n\\]|\\\n)*", text):
            wanted = ("--locked", "--frozen") if command.startswith("uv") else ("--require-hashes", "*install")
            assert any(word in command for word in wanted), (name, command)
    assert '"--require-hashes"' in (ROOT / "localcloud/cloud.py").read_text()


def test_the_set_up_takes_uv_by_the_hashes_of_the_lock_file() -> None:
    script = (ROOT / "bootstrap.sh").read_text()
    code = script.partition("<<'END'\n")[2].partition("\nEND\n")[0]
    command = [sys.executable, "-c", code, "requirement"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (uv,) = (each for each in LOCK if each["name"] == "uv")
    assert said.split() == [f"uv=={uv['version']}", *(f"--hash={wheel['hash']}" for wheel in uv["wheels"])]


def test_the_bill_of_materials_lists_what_is_packed() -> None:
    options = ("--format", "cyclonedx1.5", "--preview-features", "sbom-export")
    bill = json.loads(exported(*options))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert {each["name"]: each["version"] for each in bill["components"]} == pinned(REQUIREMENTS)
    assert all(each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}" for each in bill["components"])
    assert all(option in (ROOT / "Makefile").read_text() for option in options)


def test_vendored_files_are_as_their_authors_published_them() -> None:
    """The files in the folder are unchanged; our own changes are in files next to the folder."""
    known = {
        "htmx.LICENSE": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
        "htmx.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
        "hx-sse.min.js": "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
        "pico.LICENSE": "afaff063e044233f917b7807dccab022f09dca474f92b642846bee4850655bbf",
        "pico.min.css": "fbc9a63fc9fc9f72d12fd7fc9806e11fa9f77ae4f9cad146b27003a1119ba3db",
    }
    folder = ROOT / "portcall/console/static/vendor"
    assert {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()} == known
    notice = (ROOT / "NOTICE").read_text()
    assert all(name in notice for name in known if not name.endswith(".LICENSE"))
