"""What `sam deploy` gets for the embedded cloud is what `sam build` built."""

import json
import zipfile
from pathlib import Path
from typing import Any

import yaml

from localcloud.packing import packed


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
