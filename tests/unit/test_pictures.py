"""The drawing of the workflow is up to date."""

import re
from pathlib import Path

import yaml

from bench.workflow_drawing import DEFINITION, draw, workflow

PICTURES = Path(__file__).parents[2] / "docs/pictures"
NAME = re.compile(r">(\w+)</text>")


def test_the_picture_in_the_docs_is_that_of_the_definition():
    # `make pictures` makes it again.
    assert (PICTURES / "workflow.svg").read_text() == workflow()


def test_every_state_is_drawn_and_nothing_else():
    states = yaml.safe_load(DEFINITION.read_text())["States"]
    drawn = {name for name in NAME.findall(workflow()) if name[0].isupper()}
    assert drawn == set(states)


def test_a_branch_is_drawn_with_its_case_up_to_where_it_comes_back():
    definition = yaml.safe_load(DEFINITION.read_text())
    catch = definition["States"]["RegisterTaskDefinition"]["Catch"]
    catch.insert(0, {"ErrorEquals": ["A<new>CaseError"], "Next": "ReadLog"})
    before, after = (NAME.findall(draw(each)) for each in (yaml.safe_load(DEFINITION.read_text()), definition))
    assert after.count("ReadLog") == before.count("ReadLog") + 1
    assert "a&lt;new&gt; case" in draw(definition)


def test_no_picture_loads_anything():
    paths = list(PICTURES.glob("*.svg"))
    assert paths
    for path in paths:
        found = re.findall(r"""(?:href|src)=(?!["']#)\S+|url\((?!#)[^)]*|@import\S*""", path.read_text())
        assert found == [], path
