"""What `sam deploy` gets for the embedded cloud, and what a release carries, is what `sam build` built."""

import io
import json
import marshal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.packing import packed
from release import bytecode, packaging


def function() -> dict[str, Any]:
    return {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "Shared", "Handler": "step.handler"}}


TEMPLATE: dict[str, Any] = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Resources": {"A": function(), "B": function(), "Queue": {"Type": "AWS::SQS::Queue"}},
}


def built(folder: Path) -> Path:
    (folder / "Shared" / "package").mkdir(parents=True)
    (folder / "Shared" / "step.py").write_text("handler = print\n")
    (folder / "Shared" / "package" / "data.json").write_text("{}\n")
    (folder / "template.yaml").write_text(yaml.safe_dump(TEMPLATE))
    return folder / "template.yaml"


def test_all_functions_share_one_zip_of_the_built_folder(tmp_path: Path) -> None:
    template = packed(built(tmp_path))
    resources = json.loads(template.read_text())["Resources"]
    codes = {
        name: each["Properties"].pop("CodeUri") for name, each in resources.items() if "Properties" in each
    }
    assert codes == {"A": "Shared.zip", "B": "Shared.zip"}
    assert resources["Queue"] == TEMPLATE["Resources"]["Queue"]
    assert resources["A"]["Properties"] == {"Handler": "step.handler"}
    with zipfile.ZipFile(template.parent / codes["A"]) as archive:
        names = {each: archive.read(each).decode() for each in archive.namelist()}
    assert names == {"package/data.json": "{}\n", "step.py": "handler = print\n"}


def test_the_same_files_give_the_same_bytes_whatever_their_age(tmp_path: Path) -> None:
    once, again = (packed(built(tmp_path / name)).parent / "Shared.zip" for name in ("once", "again"))
    assert once.read_bytes() == again.read_bytes()


RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
UV = Path(sys.executable).with_name("uv")


def test_a_release_has_the_bytecode_of_lambdas_python_and_no_other(tmp_path: Path) -> None:
    built(tmp_path)
    (tmp_path / "Shared" / "step.cpython-27.pyc").write_bytes(b"old")
    assert bytecode.add(tmp_path / "Shared", RUNTIME, UV)
    content = zipfile.ZipFile(io.BytesIO(packaging.archive(tmp_path / "Shared", RUNTIME)))
    (compiled,) = (name for name in content.namelist() if name.endswith(".pyc"))
    assert compiled == f"__pycache__/step{bytecode.suffix(RUNTIME)}"
    code = marshal.loads(content.read(compiled)[16:])
    assert code.co_filename == "/var/task/step.py"


def test_bytecode_is_used_where_lambda_unpacks_it_but_not_for_another_source(tmp_path: Path) -> None:
    built(tmp_path)
    bytecode.add(tmp_path / "Shared", RUNTIME, UV)
    with zipfile.ZipFile(io.BytesIO(packaging.archive(tmp_path / "Shared", RUNTIME))) as archive:
        archive.extractall(tmp_path / "task")

    def is_used() -> bool:
        python = [sys.executable, "-B", "-v", "-c", "import step"]
        said = subprocess.run(python, cwd=tmp_path / "task", check=True, capture_output=True, text=True).stderr
        return f"code object from '{tmp_path}/task/__pycache__/step{bytecode.suffix(RUNTIME)}'" in said

    (tmp_path / "task" / "step.py").touch()
    assert is_used()
    (tmp_path / "task" / "step.py").write_text("def handler(): pass\n")
    assert not is_used()


def test_without_lambdas_python_a_release_has_no_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(tmp_path)
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    assert not bytecode.add(tmp_path / "Shared", "python3.99", UV)
    assert ".pyc" not in " ".join(
        zipfile.ZipFile(io.BytesIO(packaging.archive(tmp_path / "Shared", "python3.99"))).namelist()
    )
