"""Many pushes at once, in simulated time, within the rates that AWS documents."""

from collections.abc import Iterator

import pytest

from tests.explorer.game import REPOSITORY, Setting, game, stage


@pytest.fixture(autouse=True)
def _stage() -> Iterator[None]:
    with stage():
        yield


def test_a_push_that_was_superseded_is_closed_at_once():
    """Each step that reads the open ones would read hundreds after a burst, until the next sweep."""
    with game(Setting()) as played:
        for _ in range(12):
            played.push()
        played.clock.run()
        order = played.cloud.table.items[f"app#{REPOSITORY}", "order"]
        superseded = {
            sk.rpartition("#")[2]
            for (_, sk), item in played.cloud.table.items.items()
            if sk.startswith("deployment#") and item["outcome"] == "superseded"
        }
        open_ones = {name.rpartition("#")[2] for name in order["open"]}
    assert len(superseded) > 1
    assert not open_ones & superseded
