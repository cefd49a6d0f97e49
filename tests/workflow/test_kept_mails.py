"""The mails about working apps, kept in `mails/`, so that a person can read them.

`UPDATE_MAILS=1` writes them again. Those of images that do not work are kept in `tests/e2e/mails`.
"""

import os
from pathlib import Path

import pytest

from tests.explorer.game import Game, Setting, game, stage
from tests.explorer.scenarios import (
    a_day,
    bad_push,
    large_push,
    one_slot,
    other_tag,
    push,
    same_image,
)

MAILS = Path(__file__).parent / "mails"
APP, BY_TAG, STABLE = Setting(), Setting(by_tag=True), Setting(stable_url=True)


def together(*acts):
    """They begin at the same moment."""
    return lambda game: [act(game) for act in acts]


# What happens before, of which the mails are not kept, and what happens then.
KEPT = {
    "the first version": (APP, [], [push]),
    "a slow pull": (APP, [], [large_push]),
    "another version": (APP, [push], [push]),
    "a stable URL": (STABLE, [push], [push]),
    "further tags of one image": (APP, [], [together(push, same_image)]),
    "a burst": (APP, [], [together(push, push, push)]),
    "a burst whose last push fails": (APP, [], [together(push, bad_push)]),
    "a restart": (APP, [push], [Game.crash]),
    "given up": (APP, [push, Game.crash, Game.crash], [Game.crash]),
    "a preview": (BY_TAG, [], [push]),
    "a preview whose tag is deleted": (BY_TAG, [push], [Game.delete_tag]),
    "a preview whose tag is deleted at once": (BY_TAG, [], [together(push, Game.delete_tag)]),
    "a preview whose time is up": (BY_TAG, [push], [a_day, Game.sweep]),
    "a preview for which there is no slot": (BY_TAG, [one_slot, push], [other_tag]),
    "a repository that is not watched any more": (APP, [push], [Game.change_watched, Game.sweep, Game.crash]),
    "another name": (APP, [push], [Game.change_environments, Game.sweep, push]),
}


@pytest.fixture(scope="module", autouse=True)
def _stage():
    with stage():
        yield


@pytest.mark.parametrize("name", KEPT)
def test_a_mail_reads_as_it_is_kept(name):
    setting, before, then = KEPT[name]
    with game(setting) as played:
        for act in before:
            act(played)
            played.clock.run()
        begins = played.clock.now
        for act in then:
            act(played)
            played.clock.run()
        played.settle()
    mails = sorted((mail for mail in played.cloud.mails if mail.at >= begins), key=lambda mail: mail.at)
    text = "\n".join(f"Subject: {mail.subject}\n\n{mail.text}" for mail in mails)
    kept = MAILS / f"{name.replace(' ', '-')}.txt"
    if os.environ.get("UPDATE_MAILS"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(text)
    assert text == kept.read_text()


def test_each_kept_mail_is_of_a_test():
    assert {each.stem for each in MAILS.iterdir()} == {name.replace(" ", "-") for name in KEPT}
