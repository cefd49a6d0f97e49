"""The scenarios, and the acts that may disturb them."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.explorer.aws import CRASHES, LARGE, NO_APP, SILENT
from tests.explorer.game import DAY, OTHER_REPOSITORY, Game

Act = Callable[[Game], object]


@dataclass(frozen=True)
class Scenario:
    """`before` runs undisturbed; `main` is disturbed. Some scenarios are only for previews, some only for
    other apps.
    """

    main: tuple[Act, ...]
    before: tuple[Act, ...] = ()
    previews_only: bool = False
    lasting_only: bool = False


def push(game: Game) -> None:
    game.push()


def large_push(game: Game) -> None:
    game.push(LARGE)


def bad_push(game: Game) -> None:
    game.push(SILENT)


def push_that_crashes(game: Game) -> None:
    game.push(CRASHES)


def lost_push(game: Game) -> None:
    """A push whose event is lost; the sweep must find it."""
    game.push(with_event=False)
    game.time_passes(150)


def deliver_again(game: Game) -> None:
    """The event of the last push arrives again."""
    known = [number for number, each in enumerate(game.made, 1) if each.push.deployment]
    if known:
        game.deliver(known[-1])


def other_tag(game: Game) -> None:
    """A push of another tag of the repository."""
    game.push(tag="pr-8" if game.setting.by_tag else "next")


def same_image(game: Game) -> None:
    """The last image is pushed under another tag."""
    game.push_again(tag="pr-8" if game.setting.by_tag else "next")


def signature(game: Game) -> None:
    """A signature of the last image is pushed."""
    game.push(NO_APP, tag=f"{game.made[-1].push.digest.replace(':', '-')}.sig")


def signature_again(game: Game) -> None:
    """The tag of the last signature is moved to another one, as for a second signature."""
    game.push(NO_APP, tag=game.made[-1].push.tag)


def forgotten_stop(game: Game) -> None:
    """A stop by hand whose event to RestartApp is lost, and that ECS has forgotten."""
    game.cloud.lost.add("RestartApp")
    game.stop_by_hand()
    game.time_passes(2 * 60 * 60)
    game.cloud.lost.clear()


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


def other_repository(game: Game) -> None:
    """A push to another repository."""
    game.push(repository=OTHER_REPOSITORY)


def third_repository(game: Game) -> None:
    game.push(repository="third-app")


def one_slot(game: Game) -> None:
    """The limit is one app, or one preview."""
    game.allow("MAX_PREVIEWS", 1)
    game.allow("MAX_APPS", 1)


def all_at_once(game: Game) -> None:
    """All parameters change that can change."""
    game.change_environments()
    game.change_stable_url()


def a_second(game: Game) -> None:
    game.time_passes(1)


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
    "a push and its signature": Scenario((push, signature)),
    "an image that is signed twice": Scenario((push, signature, signature_again)),
    "a sweep after a forgotten stop by hand": Scenario((Game.sweep,), (push, forgotten_stop)),
    "a push after a change of Environments": Scenario((push, Game.sweep), (push, Game.change_environments)),
    "a sweep after a change of Environments": Scenario((Game.sweep,), (push, Game.change_environments)),
    "a crash after a change of Environments": Scenario((Game.crash,), (push, Game.change_environments)),
    "a crash of what is not watched any more": Scenario((Game.crash,), (push, Game.change_watched)),
    "a sweep after it is watched again": Scenario(
        # Within the same second it is unknown whether a push was before the change.
        (Game.sweep,),
        (push, Game.change_watched, push, Game.sweep, a_second, Game.change_watched),
    ),
    "pushes to three repositories": Scenario((push, other_repository, third_repository)),
    "a push where all slots are taken": Scenario((other_tag,), (one_slot, push), previews_only=True),
    "a preview ends, and the next one comes": Scenario(
        (Game.delete_tag, other_tag), (one_slot, push), previews_only=True
    ),
    "a push of another app where all slots are taken": Scenario(
        (other_repository,), (push, one_slot), lasting_only=True
    ),
    "a push after MaxApps was lowered": Scenario(
        (push, third_repository), (push, other_repository, one_slot), lasting_only=True
    ),
    "a change of Environments where all slots are taken": Scenario(
        (push, Game.sweep), (one_slot, push, Game.change_environments), lasting_only=True
    ),
    "a rollback": Scenario((Game.rollback,), before=(push, push)),
    "a second rollback": Scenario((Game.rollback,), before=(push, push, push, Game.rollback)),
    "a rollback of the first version": Scenario((Game.rollback,), before=(push,)),
    "a rollback while a push is on its way": Scenario((push, Game.rollback), before=(push, push)),
    "the version that was rolled back, once more": Scenario((same_image,), before=(push, push, Game.rollback)),
    "a push after a rollback": Scenario((push,), before=(push, push, Game.rollback)),
    "a resume": Scenario((Game.resume,), before=(push, push, Game.rollback)),
    "a stop that is asked for": Scenario((Game.stop,), before=(push,)),
    "a stop while a push is on its way": Scenario((push, Game.stop), before=(push,)),
    "a push of a stopped app": Scenario((push,), before=(push, Game.stop)),
    "a start": Scenario((Game.start,), before=(push, Game.stop, push)),
    "a restart that is asked for": Scenario((Game.restart,), before=(push,)),
}

# The acts that may happen while something else is in progress.
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
    "a change of Environments": Game.change_environments,
    "a change of RepositoryPattern": Game.change_watched,
    "a push of another repository": other_repository,
    "a change of MaxApps and MaxPreviews": one_slot,
    "a rollback": Game.rollback,
    "a resume": Game.resume,
    "a stop that is asked for": Game.stop,
    "a start": Game.start,
}
