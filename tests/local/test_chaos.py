"""Pushes, crashes and aborts while a fifth of all calls fail and of ECS's events are lost; the others come late,
in another order, and twice. Then all promises must hold.

A longer campaign, with microburst's faults: `python -m bench.faults`.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from portcall.installer.packaged import Packaged
from tests import installing
from tests.chaos import Chaos
from tests.conftest import StateFolder
from tests.local.conftest import eventually, forget_images, start_cloud
from tests.local.installed import Installed, containers

pytestmark = pytest.mark.long(45)

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "1"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
SHARE = float(os.environ.get("CHAOS_SHARE", "0.2"))
APPS = [f"chaos-{number}" for number in range(3)]
PUSHES = 4
SWITCHES = "late-events targets-twice"
# After so many seconds without a task's event, the workflow asks ECS.
TASK_EVENT_SECONDS = 10


@pytest.fixture(scope="module")
def chaos(engine: None, release: Packaged, state_folder: StateFolder) -> Iterator[Chaos]:
    folder: Path = state_folder("chaos")
    cloud = start_cloud(
        folder,
        through=("tests.local.faulty",),
        FAULTS_SEED=str(SEED),
        PORTCALL_SWITCHES=SWITCHES,
    )
    try:
        stack = Installed(cloud)
        parameters = {"RepositoryPattern": "chaos-*", "HealthTimeout": "20"}
        installing.create(cloud.client, release, parameters)
        for app in APPS:
            cloud.client("ecr").create_repository(repositoryName=app)

        def faults(share: float) -> None:
            assert cloud.request("PUT", f"/_faults/{share}")[0] == 200

        made = Chaos(stack, faults, random.Random(SEED))
        made.wait_for_task_events(TASK_EVENT_SECONDS)
        yield made
    finally:
        cloud.stop()
        forget_images(cloud.port)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_whatever_fails_every_report_is_true(chaos: Chaos, number: int) -> None:
    chaos.play(APPS, PUSHES, SHARE)
    eventually(lambda: len(containers(chaos.stack.cloud.port)) <= len(APPS))
    assert [each for app in APPS for each in chaos.broken(app)] == []
    assert int(chaos.stack.cloud.request("GET", "/_faults/")[1]) > 0, "no event was lost"
