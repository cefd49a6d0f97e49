"""The explorer's interpreter behaves like the embedded cloud's."""

import pytest

from tests.explorer.aws import SILENT
from tests.explorer.game import Game, Setting, play, stage

BEGIN = ["AdmitPush", "ReadImage", "RegisterTaskDefinition"]
RUN = ["RunTask", "WaitForRunning", "ResolvePublicIp", "CheckHealth"]
GOOD = [*BEGIN, *RUN, "SwitchOver", "PublishUrl"]
STABLE = [*GOOD, "CheckStableUrl", "StopPrevious", "PublishUrl"]
BAD = [*BEGIN, *RUN, "RollBack", "DeploymentFailed"]
TWICE = ["AdmitPush", "Duplicate"]
GONE = ["AdmitPush", "Superseded"]


def test_the_embedded_cloud_goes_this_way(deploy, world, push):
    assert deploy(push(1)).states == GOOD
    assert deploy(push(1)).states == TWICE
    world.answers = None
    assert deploy(push(2)).states == BAD
    assert deploy(push(3), moves_the_tag=False).states == GONE


def test_the_embedded_cloud_goes_this_way_with_a_stable_url(deploy, world, push, stable_url):
    assert deploy(push(1)).states == STABLE


def gone(game: Game) -> None:
    game.push()
    game.cloud.tags.clear()


@pytest.mark.parametrize(
    ("acts", "setting", "expected"),
    [
        ([Game.push, lambda game: game.deliver(1)], Setting(), [GOOD, TWICE]),
        ([lambda game: game.push(SILENT)], Setting(), [BAD]),
        ([gone], Setting(), [GONE]),
        ([Game.push], Setting(stable_url=True), [STABLE]),
    ],
    ids=["good, twice", "bad", "gone", "stable URL"],
)
def test_the_explorer_passes_the_same_states_as_the_embedded_cloud(acts, setting, expected):
    with stage():
        played = play(setting, *acts)
    assert [each.states for each in played.machine.executions.values()] == expected
