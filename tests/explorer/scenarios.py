"""What is played, and what may happen at each call that it makes."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.explorer.aws import CRASHES, SILENT
from tests.explorer.game import DAY, Game

Act = Callable[[Game], object]


@dataclass(frozen=True)
class Scenario:
    """`before` comes to its end undisturbed; `main` is what is disturbed. Some are of previews only."""

    main: tuple[Act, ...]
    before: tuple[Act, ...] = ()
    previews_only: bool = False


def push(game: Game) -> None:
    game.push()


def bad_push(game: Game) -> None:
    game.push(SILENT)


def push_that_crashes(game: Game) -> None:
    game.push(CRASHES)


def lost_push(game: Game) -> None:
    """A push whose event never comes; the sweep is to find it."""
    game.push(heard=False)
    game.time_passes(150)


def deliver_again(game: Game) -> None:
    """The event of the last push that was heard comes once more."""
    heard = [number for number, each in enumerate(game.made, 1) if each.push.deployment]
    if heard:
        game.deliver(heard[-1])


def other_tag(game: Game) -> None:
    """A push of another tag of the repository."""
    game.push(tag="pr-8" if game.setting.by_tag else "next")


def same_image(game: Game) -> None:
    """The image that was pushed last is pushed to another tag."""
    game.push_again(tag="pr-8" if game.setting.by_tag else "next")


def lost_crash(game: Game) -> None:
    """A crash whose event never comes."""
    game.cloud.lost.add("RestartApp")
    game.crash()
    game.time_passes(10)
    game.cloud.lost.clear()


def lost_deletion(game: Game) -> None:
    game.cloud.lost.add("EndPreview")
    game.delete_tag()
    game.cloud.lost.clear()


def a_day(game: Game) -> None:
    game.time_passes(DAY + 60)


SCENARIOS: dict[str, Scenario] = {
    "a first push": Scenario((push,)),
    "a second push": Scenario((push,), before=(push,)),
    "two pushes at once": Scenario((push, push)),
    "a first push that is bad": Scenario((bad_push,)),
    "a bad push": Scenario((bad_push,), before=(push,)),
    "a push that crashes": Scenario((push_that_crashes,), before=(push,)),
    "a restart": Scenario((Game.crash,), before=(push,)),
    "a third crash": Scenario((Game.crash,), before=(push, Game.crash, Game.crash)),
    "a stop by hand": Scenario((Game.stop_by_hand,), before=(push,)),
    "a sweep": Scenario((Game.sweep,), before=(push,)),
    "a sweep after a lost push": Scenario((Game.sweep,), before=(push, lost_push)),
    "a sweep after a lost crash": Scenario((Game.sweep,), before=(push, lost_crash)),
    "a sweep after a change of StableUrl": Scenario((Game.sweep,), before=(push, Game.change_stable_url)),
    "a push after a change of StableUrl": Scenario((push,), before=(push, Game.change_stable_url)),
    "a deletion of the tag": Scenario((Game.delete_tag,), before=(push,)),
    "a sweep after a lost deletion": Scenario((Game.sweep,), (push, lost_deletion), previews_only=True),
    "a preview whose time is up": Scenario((Game.sweep,), (push, a_day), previews_only=True),
    "a push after a deletion": Scenario((push,), (push, Game.delete_tag), previews_only=True),
    "an event that comes twice": Scenario((push, deliver_again)),
}

# What may happen while something else is under way.
ACTS: dict[str, Act] = {
    "a push": push,
    "a bad push": bad_push,
    "a push that crashes": push_that_crashes,
    "a push of another tag": other_tag,
    "the last event again": deliver_again,
    "a crash": Game.crash,
    "a crash of the newest task": Game.crash_newest,
    "a stop by hand": Game.stop_by_hand,
    "a sweep": Game.sweep,
    "a deletion of the tag": Game.delete_tag,
    "a change of StableUrl": Game.change_stable_url,
}
