"""Accepted findings of the scanners are named, and none is out of date."""

import json

from scan.__main__ import ROOT, judged
from scan.transformed import transformed

FOUND = {("CKV_1", "OneFunction", "must be encrypted"), ("CKV_1", "Ledger", "must be encrypted")}


def test_a_finding_that_is_not_excused_is_open():
    assert list(judged(FOUND, {})) == [
        "CKV_1 Ledger: must be encrypted",
        "CKV_1 OneFunction: must be encrypted",
    ]
    assert list(judged(FOUND, {("CKV_1", r"\w+Function"): "why"})) == ["CKV_1 Ledger: must be encrypted"]


def test_an_excuse_for_nothing_is_open():
    excuses = {("CKV_1", ".*"): "why", ("CKV_2", "Ledger"): "why", ("CKV_1", "Other"): "why"}
    assert [each.split(":")[0] for each in judged(FOUND, excuses)] == ["CKV_1 Other", "CKV_2 Ledger"]


def test_the_transformed_template_has_the_roles_that_sam_makes():
    resources = json.loads(json.dumps(transformed(ROOT / "template.yaml")))["Resources"]
    assert resources["RunTaskFunctionRole"]["Type"] == "AWS::IAM::Role"
    assert {each["Type"] for each in resources.values()} >= {"AWS::Lambda::Function", "AWS::Events::Rule"}
