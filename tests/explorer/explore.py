"""Plays each scenario once for each of its calls, with something happening at that call.

It is a fault of the call itself, or an act: something else that begins at that moment. A `nested` act ends
before the call returns. An act `beside` runs concurrently. An act `astride` is paused at one of its own calls,
and ends only after what it disturbed.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from botocore.exceptions import ReadTimeoutError

from tests.explorer.aws import Call, refuse
from tests.explorer.clock import Died, Process
from tests.explorer.game import Game, Setting, game
from tests.explorer.scenarios import ACTS, SCENARIOS
from tests.promises import broken

# AWS is stale in half of them.
SETTINGS = [Setting(False, False, True), Setting(False, True), Setting(True, False), Setting(True, True, True)]

THROTTLED, ANSWER_LOST, SENT_TWICE = "it is throttled", "its answer is lost", "the SDK sends it twice"
DIES_BEFORE, DIES_AFTER, ABORTED = (
    "its function dies before",
    "its function dies after",
    "its execution is aborted",
)
TIMES_OUT, CONTINUES = "its function times out after", "its caller loses it, and it continues later"
FAULTS = (THROTTLED, ANSWER_LOST, SENT_TWICE, DIES_BEFORE, DIES_AFTER, ABORTED, TIMES_OUT, CONTINUES)
# The time-out of functions in seconds.
MAX_SWEEP_SECONDS = 30.0
NESTED, BESIDE, ASTRIDE = "nested", "beside", "astride"
# They record that a mail was sent: about a deployment, or about the current one.
RECORDS = ("dynamodb.update_item deployment", "dynamodb.put_item")


@dataclass(frozen=True)
class Disturbance:
    """`what` happens at a call, e.g. `sns.publish`, or `sns.publish #2` for the second of that name.

    It happens in one of the three ways; for `astride`, `far` is the number of the act's own call.
    """

    call: str
    what: str
    how: str = NESTED
    far: int = 0

    def __str__(self) -> str:
        far = f", far={self.far}" if self.how == ASTRIDE else ""
        how = f", {self.how!r}{far}" if self.what in ACTS and self.how != NESTED else ""
        return f"Disturbance({self.call!r}, {self.what!r}{how})"


@dataclass(frozen=True)
class Schedule:
    """A scenario with its disturbances."""

    scenario: str
    setting: Setting
    disturbances: tuple[Disturbance, ...]

    def __str__(self) -> str:
        disturbances = "".join(f"{each}, " for each in self.disturbances)
        setting = f"Setting({self.setting.by_tag}, {self.setting.stable_url}, {self.setting.stale})"
        return f"Schedule({self.scenario!r}, {setting}, ({disturbances.rstrip()}))"


@dataclass
class Played:
    """The result of a schedule: the calls from the disturbance on, and the broken promises."""

    schedule: Schedule
    calls: list[Call]
    broken: list[str]

    def story(self) -> str:
        """The schedule, ready to be pasted as a test, and what broke."""
        return "\n".join([f"    {self.schedule},", *(f"    # {each}" for each in self.broken)])


def named(calls: list[Call]) -> list[str]:
    """The calls with unique names."""
    seen: Counter[str] = Counter()
    found = []
    for call in calls:
        seen[call] += 1
        found.append(call if seen[call] == 1 else f"{call} #{seen[call]}")
    return found


@dataclass
class _Disturber:
    """Causes the disturbances at their calls."""

    game: Game
    disturbances: tuple[Disturbance, ...]
    seen: Counter[str] = field(default_factory=Counter)
    # The calls by number and name.
    calls: dict[int, str] = field(default_factory=dict)
    # For acts astride: after how many more calls they are paused.
    far: dict[str, int] = field(default_factory=dict)
    left_for: dict[str, Process] = field(default_factory=dict)

    def before(self, number: int, name: str) -> bool:
        process = self.game.clock.at_work
        assert process
        self._leave(process)
        twice = False
        self.seen[name] += 1
        self.calls[number] = name if self.seen[name] == 1 else f"{name} #{self.seen[name]}"
        for each in self._at(number):
            match each.what:
                case act if act in ACTS:
                    self._act(each, process)
                case what if what == THROTTLED and _is_of_aws(name):
                    raise refuse(name, "ThrottlingException", "Rate exceeded")
                case what if what == SENT_TWICE and _is_of_aws(name) and name != "sns.publish":
                    twice = True
                case what if what == DIES_BEFORE:
                    process.died = True
                    raise Died
                case what if what == ABORTED:
                    self.game.abort(process)
                case what if what == CONTINUES:
                    self._lose(process)
        return twice

    def after(self, number: int, name: str) -> None:
        process = self.game.clock.at_work
        assert process
        for each in self._at(number):
            if each.what == ANSWER_LOST and _is_of_aws(name):
                raise ReadTimeoutError(endpoint_url="https://aws.example/")
            if each.what in (DIES_AFTER, TIMES_OUT):
                process.died = True
                if each.what == TIMES_OUT:
                    process.dies_of = "Sandbox.Timedout"
                    self.game.clock.pass_time(MAX_SWEEP_SECONDS)
                raise Died

    def _at(self, number: int) -> list[Disturbance]:
        return [each for each in self.disturbances if each.call == self.calls[number]]

    def _act(self, disturbance: Disturbance, process: Process) -> None:
        clock = self.game.clock
        cause = f"{disturbance}"
        before, clock.cause = clock.cause, cause
        ACTS[disturbance.what](self.game)
        clock.cause = before
        if disturbance.how == NESTED:
            clock.hold(process, lambda: not clock.to_come.get(cause))
        elif disturbance.how == ASTRIDE:
            self.far[cause] = disturbance.far
            self.left_for[cause] = process
            clock.hold(process, lambda: cause not in self.far or not clock.to_come.get(cause))

    def _lose(self, process: Process) -> None:
        """Repeat the call of the function, and pause this call until the repeated one has ended."""
        again = process.call_again()
        if again:
            process.until = self.game.clock.now + MAX_SWEEP_SECONDS
            self.game.clock.hold(process, lambda: again.ended)

    def _leave(self, process: Process) -> None:
        """Pause the act until what it disturbed has ended."""
        if process.cause in self.far:
            self.far[process.cause] -= 1
            if self.far[process.cause] < 0:
                del self.far[process.cause]
                disturbed = self.left_for[process.cause]
                self.game.clock.hold(process, lambda: disturbed.ended)


def _is_of_aws(name: str) -> bool:
    return not name.startswith(("start ", "end ", "app."))


def play(schedule: Schedule) -> Played:
    """Play a schedule with the simulated clock and cloud."""
    scenario = SCENARIOS[schedule.scenario]
    with game(schedule.setting) as found:
        for act in (Game.sweep, *scenario.before):
            act(found)
            found.clock.run()
        begins = len(found.cloud.calls)
        disturber = _Disturber(found, schedule.disturbances)
        found.cloud.before, found.cloud.after = disturber.before, disturber.after
        for act in scenario.main:
            act(found)
        found.clock.run()
        calls = found.cloud.calls[begins:]
        found.cloud.before, found.cloud.after = (lambda number, name: False), (lambda number, name: None)
        found.settle()
        return Played(schedule, calls, broken(found.world()))


def scenarios() -> Iterator[tuple[str, Setting]]:
    for name, scenario in SCENARIOS.items():
        for setting in SETTINGS:
            if (setting.by_tag and not scenario.lasting_only) or (
                not setting.by_tag and not scenario.previews_only
            ):
                yield name, setting


def each_disturbance(calls: list[Call]) -> Iterator[tuple[str, str, str]]:
    """The arguments of a Disturbance: every fault, and every nested or concurrent act, at each of the calls.

    There are thousands; only some are played.
    """
    for number, name in enumerate(named(calls)):
        for fault in FAULTS:
            if _can_be_helped(fault, number, calls):
                yield name, fault, NESTED
        for act in ACTS:
            for how in (NESTED, BESIDE):
                yield name, act, how


def can_be_helped(disturbance: Disturbance, calls: list[Call]) -> bool:
    """Whether a promise that breaks with this disturbance could be kept."""
    names = named(calls)
    known = disturbance.call in names and disturbance.what in FAULTS
    return not known or _can_be_helped(disturbance.what, names.index(disturbance.call), calls)


def _can_be_helped(fault: str, number: int, calls: list[Call]) -> bool:
    """Whether a broken promise could be prevented.

    SNS has no idempotency token. If a function ends between a mail and its record, the mail is sent again,
    because two mails are better than none.
    """
    call = calls[number]
    sends = call == "sns.publish" and fault in (ANSWER_LOST, SENT_TWICE, DIES_AFTER, TIMES_OUT)
    ends = fault in (DIES_BEFORE, CONTINUES) or (fault in (DIES_AFTER, TIMES_OUT) and call not in RECORDS)
    has_sent = ends and _is_to_record_a_mail(number, calls)
    about_to_send = fault == CONTINUES and _is_about_to_send(number, calls)
    aws = _is_of_aws(call) or fault not in (THROTTLED, ANSWER_LOST, SENT_TWICE)
    return aws and not (sends or has_sent or about_to_send)


def _is_to_record_a_mail(number: int, calls: list[Call]) -> bool:
    """Whether the function has sent a mail and not recorded it before this call.

    Between a mail and its record, the pushes that it names are recorded.
    """
    before = [call for call in calls[:number] if call.by == calls[number].by][-2:]
    return "sns.publish" in before and not {*RECORDS} & {*before}


def _is_about_to_send(number: int, calls: list[Call]) -> bool:
    """Whether the function has checked for the last time whether to send its mail.

    If it died and was called again, it would have sent the mail in the meantime.
    """
    own = [call for call in calls[number:] if call.by == calls[number].by]
    before = [call for call in calls[:number] if call.by == calls[number].by]
    function = next((call for call in reversed(before) if call.startswith("start ")), "")
    for call in own:
        if call in ("sns.publish", function):
            return True
        if call == "dynamodb.update_item deployment" or call.startswith("end "):
            return False
    return False


def astride(scenario: str, setting: Setting, calls: list[Call], dice: random.Random) -> Schedule:
    """All schedules with an act that begins at one of the calls and is paused at one of its own."""
    disturbance = Disturbance(dice.choice(named(calls)), dice.choice(list(ACTS)), ASTRIDE, dice.randrange(60))
    return Schedule(scenario, setting, (disturbance,))


def any_disturbance(calls: list[Call], dice: random.Random, first: Disturbance | None = None) -> Disturbance:
    """A random disturbance at one of the calls, besides the `first` one."""
    while True:
        number = dice.randrange(len(calls))
        what = dice.choice([*FAULTS, *ACTS])
        how = dice.choice([NESTED, BESIDE, ASTRIDE]) if what in ACTS else NESTED
        # A function of an aborted execution that pauses between a mail and its record is like one that ends there.
        pauses = first is not None and first.what == ABORTED and what in ACTS and how != BESIDE
        if pauses and _is_to_record_a_mail(number, calls):
            continue
        if what in ACTS or _can_be_helped(what, number, calls):
            return Disturbance(named(calls)[number], what, how, dice.randrange(60) if how == ASTRIDE else 0)


def undisturbed(scenario: str, setting: Setting) -> Played:
    return play(Schedule(scenario, setting, ()))
