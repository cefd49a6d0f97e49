"""Portcall's promises, which must hold after all deployments have ended and two sweeps have run.

Each promise has a name. It reads a `World`, the final state, and returns where it was broken.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from deployer.actions.restarts import NOT_WATCHED
from deployer.domain import limits
from deployer.domain.deployment import DEPLOYED, FAILED, RECORDED, RETRIED, SUPERSEDED, Current, Deployment
from deployer.domain.endpoint import NOWHERE
from deployer.domain.holds import STARTED
from deployer.domain.sweep import REPLACED

OUTCOMES = {
    "deployed",
    "failed",
    "superseded",
    "ignored",
    "ended",
    "retried",
    "duplicate",
    "same image",
    "recorded",
}
DIGEST = re.compile("sha256:[0-9a-f]{64}")
GIVEN_UP, UNWATCHED = "given up", "unwatched"
TOO_MANY_DEPLOYMENTS = "DeploymentLimitError"
BY_HAND = "It was stopped by hand."


@dataclass(frozen=True)
class Pushed:
    """A push, in the order of pushing; `good` says that it must go live unless a newer push comes.

    `deployment` is the id of its event, '' if that was lost. `second` is its event's time.
    """

    deployment: str
    app: str
    tag: str
    digest: str
    good: bool
    second: int = 0
    # False for signatures and similar artifacts.
    is_app: bool = True


@dataclass(frozen=True)
class Mailed:
    """A mail, in the order of sending; `serving` is what was current at that moment, None if nothing."""

    app: str
    deployment: str
    outcome: str
    task: str = ""
    serving: Current | None = None
    # The number of pushes of the app before it.
    pushes: int = 0
    reason: str = ""
    tag_was_there: bool = True
    # It says that the version has stopped since the switch-over.
    says_stopped: bool = False
    # The digests in its text.
    digests: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Ran:
    """A task. `lives` says that it was not stopped, `answered` that it answered a request."""

    task: str
    app: str
    deployment: str
    digest: str
    lives: bool
    answered: bool
    # Whether it ended by itself; None if unknown.
    crashed: bool | None = None


@dataclass(frozen=True)
class Asked:
    """An operator's request, in the order of the answers; `refused` is one answer."""

    app: str
    action: str
    status: str


@dataclass
class World:
    """The final state. Parts that are unknown are None, and no promise reads them."""

    pushes: list[Pushed]
    mails: list[Mailed]
    tasks: list[Ran]
    # By app; apps without a current deployment are missing.
    current: dict[str, Current]
    # By app, oldest first.
    deployments: dict[str, list[Deployment]]
    # The existing tags: (app, tag) -> digest.
    tags: dict[tuple[str, str], str]
    slots: set[str] | None = None
    # API -> (app, target).
    stable_urls: dict[str, tuple[str, str]] | None = None
    # The apps that must have one.
    with_stable_url: set[str] = field(default_factory=set)
    # App -> what the ledger still lists as open or in progress.
    open: dict[str, set[str]] | None = None
    # The deployments with a security group of their own.
    groups: set[str] = field(default_factory=set)
    # Tasks that were stopped while the stable URL pointed at them, although another one served already.
    cut_off: list[str] = field(default_factory=list)
    # What another sweep would do.
    left_to_do: object = None
    # Unexpected errors of functions.
    bugs: list[str] = field(default_factory=list)
    # Tasks that were stopped by hand -> the app.
    stopped_by_hand: dict[str, str] = field(default_factory=dict)
    previews: set[str] = field(default_factory=set)
    # Deployments that failed only because their executions were aborted.
    aborted: set[str] = field(default_factory=set)
    # Apps of which pushes are not deployed as the parameters are now, pushes that were made meanwhile, and how
    # often that changed.
    not_watched: set[str] = field(default_factory=set)
    unwatched_pushes: list[Pushed] = field(default_factory=list)
    changes: int = 0
    # The most and the fewest previews (True) and other apps (False) that were allowed at any time.
    most: dict[bool, int] = field(default_factory=dict)
    fewest: dict[bool, int] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)


Promise = Callable[[World], Iterator[str]]
PROMISES: dict[str, Promise] = {}


def promise(check: Promise) -> Promise:
    """Register a promise; the function's name is the promise."""
    PROMISES[check.__name__] = check
    return check


def broken(world: World) -> list[str]:
    """The broken promises, each with the place: `name: what`."""
    return [f"{name}: {what}" for name, check in PROMISES.items() for what in check(world)]


def first_attempt(deployment: str) -> str:
    """The name of the deployment of which this one is a retry, or its own."""
    return re.sub(r"^retry-\d+-", "", deployment)


def _all(world: World) -> Iterator[tuple[str, Deployment]]:
    for app, deployments in world.deployments.items():
        for each in deployments:
            yield app, each


@promise
def each_push_has_one_outcome(world: World) -> Iterator[str]:
    known: dict[str, list[Deployment]] = {}
    for _, each in _all(world):
        known.setdefault(first_attempt(each.deployment), []).append(each)
        if each.outcome not in OUTCOMES:
            yield f"{each.deployment} has the outcome {each.outcome!r}"
    for push in world.pushes:
        if not push.deployment:
            continue
        # If its event was lost before it was recorded, the sweep finds the push and gives it another name.
        found = known.get(push.deployment) or [
            each
            for each in world.deployments.get(push.app, ())
            if (each.tag, each.digest) == (push.tag, push.digest) and not each.restart
        ]
        ends = [each.outcome for each in found if each.outcome != RETRIED]
        if len(ends) != 1:
            yield f"{push.deployment} came to {ends}"


@promise
def each_outcome_is_mailed_once_and_as_it_is(world: World) -> Iterator[str]:
    mailed: dict[str, list[str]] = {}
    for mail in world.mails:
        if mail.outcome not in (GIVEN_UP, UNWATCHED, "held back"):
            mailed.setdefault(first_attempt(mail.deployment), []).append(mail.outcome)
    for app, each in _all(world):
        if each.outcome == RETRIED:
            if each.restart:
                # AWS's first refusal of a restart is mailed, because the app is down.
                mailed.pop(each.deployment, [])
            continue
        mails = mailed.pop(first_attempt(each.deployment), [])
        expected = [each.outcome] if each.outcome in (DEPLOYED, FAILED, RECORDED, "ended") else []
        current = world.current.get(app)
        # A deployment that was replaced before its mail needs no mail. Nor does a restart that has stopped: the
        # next restart is mailed, or that Portcall gave up, or an operator stopped it.
        serves = current and current.deployment == each.deployment and not (each.restart and current.stopped)
        is_old_news = each.outcome == DEPLOYED and not serves
        # The first of an hour is mailed.
        is_refusal = each.error in limits.REFUSALS
        # A superseded push may be mailed if no mail was sent about the push that superseded it.
        is_superseded = each.outcome == SUPERSEDED and mails == [SUPERSEDED]
        # The end of an app is not mailed if the app exists again.
        ends = [other for other in world.deployments[app] if other.outcome == "ended"]
        is_back = each.outcome == "ended" and (current is not None or each is not ends[-1])
        is_no_news = mails == [] and (is_old_news or is_refusal or is_back)
        if mails != expected and not is_superseded and not is_no_news:
            yield f"{each.deployment} is {each.outcome}, its mails say {mails}"
    for deployment, mails in mailed.items():
        yield f"{deployment} is not known, its mails say {mails}"


@promise
def a_superseded_push_is_not_forgotten(world: World) -> Iterator[str]:
    """Unless something newer is live, a mail names it. Signatures and similar artifacts need none."""
    named = {digest for mail in world.mails for digest in mail.digests}
    named |= {push.digest for push in world.pushes if not push.is_app}
    for app, each in _all(world):
        current = world.current.get(app)
        is_older = current and (
            current.sequence > each.sequence or current.digest in (each.digest, world.tags.get((app, each.tag)))
        )
        # Then the mail says that the app has ended.
        has_ended = each.reason == "The app has ended." and any(
            mail.app == app and mail.outcome == "ended" for mail in world.mails
        )
        is_named = each.digest in named or has_ended
        if each.outcome == SUPERSEDED and not (each.restart or is_older or is_named):
            yield f"{each.deployment} was superseded ({each.reason}), nothing newer is live, and no mail says so"


@promise
def a_push_is_deployed_once(world: World) -> Iterator[str]:
    pushes = Counter((each.app, each.tag, each.digest) for each in world.pushes)
    deployed = Counter(
        (app, each.tag, each.digest)
        for app, each in _all(world)
        if each.outcome == DEPLOYED and not (each.restart or each.asked)
    )
    for push, times in deployed.items():
        if times > pushes[push]:
            yield f"{push} was deployed {times} times"
    for started_by, times in Counter(each.deployment for each in world.tasks).items():
        if times > 1:
            yield f"{started_by} started {times} tasks"


def _newest(world: World) -> Iterator[tuple[Pushed, list[Pushed]]]:
    """Each app's last push, if its tag still exists, with those of the same second.

    Events have times in seconds, so the order of two tags within a second is unknown.
    """
    for last in {each.app: each for each in world.pushes if each.is_app}.values():
        if world.tags.get((last.app, last.tag)) == last.digest:
            yield last, [each for each in world.pushes if _is_as_late(each, last)]


def _is_as_late(push: Pushed, last: Pushed) -> bool:
    return push.is_app and (push.app, push.second) == (last.app, last.second) and push.tag != last.tag


@promise
def the_newest_good_push_is_current(world: World) -> Iterator[str]:
    for push, as_late in _newest(world):
        current = world.current.get(push.app)
        if not all(each.good for each in (push, *as_late)) or push.app in _expired(world):
            continue
        if _is_held(current) or _gave_way_to_what_was_asked(world, push, "rollback"):
            continue
        if _was_aborted_again(world, push) or (current is None and _was_held_to_the_end(world, push)):
            continue
        if current is None or current.digest not in {each.digest for each in (push, *as_late)}:
            is_current = current.digest[-4:] if current else "nothing"
            yield f"{push.digest[-4:]} of {push.app} is not current, but {is_current}"


def _was_aborted_again(world: World, push: Pushed) -> bool:
    """Whether its retry was aborted, too: that is intended, so it is not retried again, and its mail says so."""
    return any(
        (each.digest, each.outcome, each.error) == (push.digest, FAILED, "AbortedError")
        and {each.deployment, each.retry.get("of")} <= world.aborted
        for each in world.deployments.get(push.app, ())
    )


def _was_held_to_the_end(world: World, push: Pushed) -> bool:
    """Whether it was rolled back, and later the app was replaced by one of another name."""
    was_rolled_back = any(
        each.asked.get("from") == push.digest and each.outcome == DEPLOYED
        for each in world.deployments.get(push.app, ())
    )
    ends = [mail.reason for mail in world.mails if mail.app == push.app and mail.outcome == "ended"]
    return was_rolled_back and any(reason.startswith(REPLACED) for reason in ends)


def _is_held(current: Current | None) -> bool:
    """Whether an operator asked for another version than the newest, or stopped the app."""
    return current is not None and bool(current.pin or current.stop)


def _gave_way_to_what_was_asked(world: World, push: Pushed, *actions: str) -> bool:
    """Whether an operator asked for one of these after the push."""
    known = world.deployments.get(push.app, ())
    # A restart has the number of what it restarts, which may be what the operator asked for.
    pushed = [each for each in known if not (each.asked or each.restart)]
    own = [each.sequence for each in pushed if each.digest == push.digest]
    asked = [each.sequence for each in known if each.asked.get("action") in actions]
    return max(asked, default=0) > max(own, default=0)


def _was_stopped(current: Current) -> bool:
    """Whether it is down because an operator stopped it."""
    return bool(current.stop) or current.gave_up_reason in (BY_HAND, STARTED)


def _expired(world: World) -> set[str]:
    """Apps that have expired after their last push."""
    pushes = Counter(each.app for each in world.pushes)
    return {
        mail.app
        for mail in world.mails
        if mail.outcome == "ended" and mail.reason.startswith("It expired") and mail.pushes == pushes[mail.app]
    }


@promise
def what_was_deployed_stays_until_something_newer_is(world: World) -> Iterator[str]:
    ended = {mail.app for mail in world.mails if mail.outcome == "ended"}
    for app, deployments in world.deployments.items():
        deployed = {each.digest for each in deployments if each.outcome == DEPLOYED}
        live = [each for each in world.pushes if each.app == app and each.digest in deployed]
        if not live or (app not in world.current and app in ended):
            continue
        current = world.current[app].digest if app in world.current else "nothing"
        if _is_held(world.current.get(app)) or any(each.app == app for each in world.asked):
            # After an operator's request, the last live version is the requested one or a newer push.
            last = max(
                (each for each in deployments if each.outcome == DEPLOYED), key=lambda each: each.sequence
            )
            expected = {last.digest}
        else:
            expected = {live[-1].digest, *(each.digest for each in live if _is_as_late(each, live[-1]))}
        if current not in expected:
            yield f"{' or '.join(each[-4:] for each in expected)} of {app} was deployed, and {current[-4:]} is current"


@promise
def what_was_deployed_had_answered(world: World) -> Iterator[str]:
    answered = {each.deployment for each in world.tasks if each.answered}
    for _, each in _all(world):
        if each.outcome == DEPLOYED and each.deployment not in answered:
            yield f"{each.deployment} never answered"


@promise
def what_is_current_was_deployed(world: World) -> Iterator[str]:
    for app, current in world.current.items():
        outcomes = {each.deployment: each.outcome for each in world.deployments.get(app, ())}
        if outcomes.get(current.deployment) != DEPLOYED:
            yield f"{current.deployment} is current, and {outcomes.get(current.deployment)!r}"


@promise
def only_what_is_current_runs(world: World) -> Iterator[str]:
    expected = {each.task for each in world.current.values() if not each.gave_up_reason}
    for each in world.tasks:
        if each.lives and each.task not in expected:
            yield f"a task of {each.deployment} runs"


@promise
def what_is_current_runs(world: World) -> Iterator[str]:
    lives = {each.task for each in world.tasks if each.lives}
    for app, current in world.current.items():
        if not current.gave_up_reason and current.task not in lives:
            yield f"{app} is down, and nobody gave it up"
        if current.ended:
            yield f"{app} is to end, and never does"


@promise
def what_is_called_live_answered(world: World) -> Iterator[str]:
    answered = {each.task for each in world.tasks if each.answered}
    for mail in world.mails:
        if mail.outcome == DEPLOYED and mail.task and mail.task not in answered:
            yield f"{mail.deployment} never answered"


@promise
def nothing_is_called_live_that_has_stopped(world: World) -> Iterator[str]:
    for mail in world.mails:
        of_this = mail.serving and mail.serving.deployment == mail.deployment
        called_live = mail.outcome == DEPLOYED and not mail.says_stopped
        if called_live and of_this and mail.serving and mail.serving.target == NOWHERE:
            yield f"{mail.deployment} was called live after the stop of its task was known"


@promise
def nothing_is_called_failed_that_is_live(world: World) -> Iterator[str]:
    for mail in world.mails:
        current = world.current.get(mail.app)
        lives = {mail.serving.deployment if mail.serving else "", current.deployment if current else ""}
        if mail.outcome == FAILED and mail.deployment in lives:
            yield f"{mail.deployment} was called failed, and is current"


@promise
def nothing_that_has_ended_comes_back(world: World) -> Iterator[str]:
    pushed = {(each.app, each.digest): number for number, each in enumerate(world.pushes)}
    names = {each.deployment: (app, each.digest) for app, each in _all(world)}
    # An operator may go back to an earlier version once the app exists again, and that may be restarted.
    went_back = {each.deployment for _, each in _all(world) if each.asked.get("action") == "rollback"}
    while (
        restarts := {each.deployment for _, each in _all(world) if each.restart.get("deployment") in went_back}
        - went_back
    ):
        went_back |= restarts
    ended: dict[str, int] = {}
    for mail in world.mails:
        if mail.outcome == "ended":
            ended[mail.app] = pushed.get(names[mail.deployment], -1)
        elif mail.outcome == DEPLOYED and mail.app in ended and mail.deployment not in went_back:
            is_newer = pushed.get(names[mail.deployment], -1) > ended[mail.app]
            if not is_newer or not (mail.tag_was_there or mail.app not in world.previews):
                yield f"{mail.app} had ended, and {mail.deployment} was called live"
    for app, current in world.current.items():
        if app in ended and not current.pin and pushed.get((app, current.digest), -1) <= ended[app]:
            yield f"{app} had ended, and is there again"


@promise
def a_preview_whose_tag_is_gone_has_ended(world: World) -> Iterator[str]:
    for app in world.current:
        tag = app.partition(":")[2]
        if app in world.previews - world.not_watched and (app, tag) not in world.tags:
            yield f"{app} has no tag, and is there"


@promise
def what_has_a_slot_is_there(world: World) -> Iterator[str]:
    if world.slots is None:
        return
    for app in world.slots:
        current = world.current.get(app)
        is_down = current is None or (current.gave_up_reason and not current.stop)
        if current is None or (is_down and app not in world.previews):
            yield f"{app} has a slot and does not need it"


@promise
def what_is_there_has_a_slot(world: World) -> Iterator[str]:
    for app, current in world.current.items():
        # An app that was down before the stop had freed its slot.
        was_down = app in world.stopped_by_hand.values() or any(
            (mail.outcome, mail.deployment) == (GIVEN_UP, current.deployment) for mail in world.mails
        )
        runs = (current.stop and not was_down) or not current.gave_up_reason
        if world.slots is not None and app not in world.slots and runs:
            yield f"{app} has no slot"


@promise
def the_stable_url_leads_to_what_is_current(world: World) -> Iterator[str]:
    if world.stable_urls is None:
        return
    targets = {app: target for app, target in world.stable_urls.values()}
    if len(targets) < len(world.stable_urls):
        yield f"an app has two: {world.stable_urls}"
    for app, current in world.current.items():
        if current.stable_url and targets.get(app) != current.target:
            yield f"that of {app} points at {targets.get(app)} instead of {current.target}"
        if app in world.with_stable_url and not current.stable_url:
            yield f"{app} has none"
    for app in targets:
        if app not in world.current:
            yield f"{app} has one, and is not there"


@promise
def no_visitor_is_cut_off(world: World) -> Iterator[str]:
    apps = {each.task: each.app for each in world.tasks}
    for task in world.cut_off:
        if _asked(world, apps.get(task, ""), "stop"):
            # It must be down, whichever version still answers.
            continue
        yield f"{task[-4:]} was stopped while its stable URL pointed at it"


@promise
def an_app_is_given_up_after_three_crashes_of_its_own(world: World) -> Iterator[str]:
    for app, current in world.current.items():
        known = [each.crashed for each in world.tasks if each.app == app]
        if None in known:
            continue
        crashes = known.count(True)
        if len(current.crashes) > crashes:
            yield f"{app} crashed {crashes} times, and {len(current.crashes)} were counted"
        chosen = _was_stopped(current) or current.gave_up_reason == NOT_WATCHED
        gave_up = current.gave_up_reason and not current.ended and not chosen
        if gave_up and crashes < 3:
            yield f"{app} was given up after {crashes} crashes: {current.gave_up_reason}"
        if current.gave_up_reason == BY_HAND and app not in world.stopped_by_hand.values():
            yield f"{app} was not stopped by hand"


@promise
def what_was_stopped_by_hand_is_not_started_again(world: World) -> Iterator[str]:
    restarts = {each.deployment for _, each in _all(world) if each.restart and each.outcome != SUPERSEDED}
    for task, app in world.stopped_by_hand.items():
        for restart in restarts:
            if restart.startswith(f"restart-{task.rpartition('/')[2]}"):
                yield f"{app} was stopped by hand, and {restart} started it again"


@promise
def other_artifacts_are_ignored(world: World) -> Iterator[str]:
    signatures = {push.digest for push in world.pushes if not push.is_app}
    for _, each in _all(world):
        if each.digest in signatures and each.outcome not in ("ignored", SUPERSEDED, "duplicate", RETRIED):
            yield f"{each.deployment} is no app, and {each.outcome}"
    for mail in world.mails:
        if mail.deployment in {each.deployment for _, each in _all(world) if each.digest in signatures}:
            yield f"{mail.deployment} is no app, and was mailed: {mail.outcome}"


@promise
def that_an_app_is_given_up_is_mailed_once(world: World) -> Iterator[str]:
    mailed = Counter(mail.deployment for mail in world.mails if mail.outcome == GIVEN_UP)
    for deployment, times in mailed.items():
        if times > 1:
            yield f"that {deployment} was given up was mailed {times} times"
    for app, current in world.current.items():
        gave_up = current.gave_up_reason and not current.ended and not _was_stopped(current)
        if gave_up and not mailed[current.deployment]:
            yield f"{app} is down, and no mail said so"


@promise
def what_nobody_watches_is_not_deployed(world: World) -> Iterator[str]:
    images = {(push.tag, push.digest) for push in world.unwatched_pushes}
    images -= {(push.tag, push.digest) for push in world.pushes}
    # An operator may start an app with what its tag points to, and that may be restarted.
    wanted = {each.digest for _, each in _all(world) if each.asked}
    for _, each in _all(world):
        is_wanted = each.asked or (each.restart and each.digest in wanted)
        if (each.tag, each.digest) in images and not is_wanted:
            yield f"{each.deployment} is of a push that nobody watched, and {each.outcome}"


@promise
def that_an_app_is_not_watched_any_more_is_mailed_once(world: World) -> Iterator[str]:
    mailed = Counter(mail.app for mail in world.mails if mail.outcome == UNWATCHED)
    for app, times in mailed.items():
        if times > world.changes:
            yield f"{app} was not watched {world.changes} times, and that was mailed {times} times"
    for app in world.not_watched & set(world.current):
        current = world.current[app]
        ends_by_itself = current.until and app in world.previews
        if not (mailed[app] or current.gave_up_reason or ends_by_itself):
            yield f"{app} runs on, no push of it is deployed, and no mail said so"


def _of_the_kind_of(app: str, world: World) -> set[str]:
    """The apps that share this app's limit of slots."""
    return {other for other in world.deployments if (other in world.previews) == (app in world.previews)}


@promise
def no_more_apps_run_than_may(world: World) -> Iterator[str]:
    running = {app for app, current in world.current.items() if not current.gave_up_reason}
    for is_preview, most in world.most.items():
        kind = {app for app in running if (app in world.previews) == is_preview}
        if len(kind) > most:
            yield f"{len(kind)} run, and {most} may: {sorted(kind)}"


def _is_named_otherwise(app: str, other: str) -> bool:
    """Whether both are the same app, before and after a change of Environments: one is the other's repository."""
    return app in (other, other.partition(":")[0]) or other == app.partition(":")[0]


@promise
def a_push_is_refused_only_where_all_slots_are_taken(world: World) -> Iterator[str]:
    for app, each in _all(world):
        others = {
            other
            for other in _of_the_kind_of(app, world) - {app}
            if world.deployments[other] and not _is_named_otherwise(app, other)
        }
        is_for_slots = each.error in limits.REFUSALS and each.error != TOO_MANY_DEPLOYMENTS
        if is_for_slots and len(others) < world.fewest[app in world.previews]:
            yield f"{each.deployment} of {app} was refused, and there are only {sorted(others)}"


@promise
def a_push_is_refused_for_others_under_way_only_where_there_are_so_many(world: World) -> Iterator[str]:
    for app, each in _all(world):
        if each.error != TOO_MANY_DEPLOYMENTS:
            continue
        beside = [
            other
            for name, other in _all(world)
            if name.partition(":")[0] == app.partition(":")[0]
            and other.began_at <= each.ended_at
            and each.began_at <= other.ended_at
            and other is not each
        ]
        if len(beside) < limits.MAX_DEPLOYMENTS:
            yield f"{each.deployment} of {app} was refused beside {len(beside)} others"


@promise
def no_security_group_outlives_its_task(world: World) -> Iterator[str]:
    yield from world.groups - {each.deployment for each in world.tasks if each.lives}


@promise
def nothing_stays_open(world: World) -> Iterator[str]:
    for app, names in (world.open or {}).items():
        for name in names:
            yield f"{name} of {app}"


@promise
def the_sweep_has_nothing_more_to_do(world: World) -> Iterator[str]:
    if world.left_to_do:
        yield str(world.left_to_do)


@promise
def no_function_fails_in_a_way_that_nobody_foresaw(world: World) -> Iterator[str]:
    yield from world.bugs


@promise
def the_last_push_is_never_superseded(world: World) -> Iterator[str]:
    for push, as_late in _newest(world):
        ends = {
            first_attempt(each.deployment): each.outcome
            for each in world.deployments.get(push.app, ())
            if each.outcome != RETRIED
        }
        # A resume and a start deploy what the tag points to, which is this push.
        gave_way = _gave_way_to_what_was_asked(world, push, "rollback", "resume", "start")
        if not as_late and not gave_way and ends.get(push.deployment) == SUPERSEDED:
            yield f"{push.deployment} of {push.app} was"


def _asked(world: World, app: str, action: str) -> bool:
    return any((each.app, each.action) == (app, action) for each in world.asked)


@promise
def what_is_pinned_or_stopped_somebody_asked_for(world: World) -> Iterator[str]:
    for app, current in world.current.items():
        if current.pin and not _asked(world, app, "rollback"):
            yield f"{app} is pinned, and nobody asked for it"
        if current.stop and not _asked(world, app, "stop"):
            yield f"{app} is stopped, and nobody asked for it"


@promise
def what_was_rolled_back_does_not_come_back(world: World) -> Iterator[str]:
    for app, current in world.current.items():
        if current.pin is None:
            continue
        if current.digest != current.pin.digest or current.digest in current.pin.bad:
            yield f"{app} is pinned to {current.pin.digest[-4:]}, and runs {current.digest[-4:]}"
        for each in world.deployments.get(app, ()):
            is_push = each.outcome == DEPLOYED and not (each.restart or each.asked)
            if is_push and each.digest in current.pin.bad and each.sequence > current.sequence:
                yield f"{each.deployment} was rolled back before, and was deployed"


@promise
def what_is_stopped_stays_so_until_somebody_starts_it(world: World) -> Iterator[str]:
    for each in world.asked:
        current = world.current.get(each.app)
        if each.status != "stopped" or current is None or current.ended or _asked(world, each.app, "start"):
            continue
        # A push after the end of the app begins a new lifetime.
        if not current.stop and not any(m.app == each.app and m.outcome == "ended" for m in world.mails):
            yield f"{each.app} was stopped, and {current.deployment} took the place"


@promise
def a_push_is_recorded_only_where_somebody_asked(world: World) -> Iterator[str]:
    for app, each in _all(world):
        if each.outcome == RECORDED and not (_asked(world, app, "stop") or _asked(world, app, "rollback")):
            yield f"{each.deployment} of {app} was not deployed, and nobody wanted that"
