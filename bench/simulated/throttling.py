"""Applies AWS's rates to the explorer's AWS: calls are throttled, functions start cold, or not at all."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from bench.rates_and_prices import quotas
from bench.rates_and_prices.rates import Rates
from tests import templates
from tests.explorer import aws
from tests.explorer.aws import Cloud, refuse
from tests.explorer.clock import Process
from tests.explorer.game import Game
from tests.explorer.machine import Document, Execution, Failed, Machine, definition

# botocore's standard mode, as the functions configure it: so many attempts of a call, with pauses between them
# of up to one second, then two.
ATTEMPTS = 3
# Seconds until a call that is throttled is answered.
RETURNS = 0.01
# Seconds that a cold start takes at 1,024 MB: see docs/performance.md.
COLD_START = 0.5
# Seconds after which what a service of AWS itself could not do at once is tried again.
TRIED_AGAIN = 1.0
NO_ROOM = "You've reached the limit on the number of vCPUs you can run concurrently"


class Account:
    """The rates of one account. `throttled` counts the calls that were refused, by bucket."""

    def __init__(self, cloud: Cloud, *, concurrency: int, vcpus: float, seed: int) -> None:
        self.cloud, self.concurrency, self.vcpus = cloud, concurrency, vcpus
        self.dice = random.Random(seed)  # noqa: S311 - the same burst for the same seed
        self.rates = Rates(cloud.clock.now)
        self.throttled, self.tokens = self.rates.throttled, self.rates.tokens
        self.running = self.most_running = 0
        self.invocations = self.cold_starts = 0
        self._idle: Counter[str] = Counter()
        cloud.before = self._before

    def take(self, call: str) -> bool:
        """Whether a call is within the rates: it counts then."""
        return self.rates.take(call, self.cloud.clock.now)

    def _before(self, _number: int, name: str) -> bool:
        call = name.partition(" ")[0]
        for attempt in range(ATTEMPTS):
            if self.take(call):
                break
            if attempt == ATTEMPTS - 1:
                raise refuse(call, "ThrottlingException", "Rate exceeded")
            self.cloud.clock.pass_time(RETURNS + self.dice.random() * 2**attempt)
        if call == "ecs.run_task" and self._vcpus_in_use() + quotas.APP_VCPUS > self.vcpus:
            raise refuse("RunTask", "ClientException", NO_ROOM)
        return False

    def _vcpus_in_use(self) -> float:
        return quotas.APP_VCPUS * sum(task.status != "STOPPED" for task in self.cloud.tasks.values())

    def begin(self, function: str) -> bool:
        """Start a function; False if the account's concurrency is used up."""
        if self.running >= self.concurrency:
            self.throttled["Lambda concurrency"] += 1
            return False
        self.running += 1
        self.invocations += 1
        self.most_running = max(self.most_running, self.running)
        if self._idle[function]:
            self._idle[function] -= 1
        else:
            self.cold_starts += 1
            self.cloud.clock.pass_time(COLD_START)
        return True

    def end(self, function: str) -> None:
        self.running -= 1
        self._idle[function] += 1


class ThrottledMachine(Machine):
    """Step Functions within an account's rates. `transitions` are those of tasks, retries included."""

    def __init__(self, cloud: Cloud, account: Account) -> None:
        super().__init__(cloud)
        self.account, self.transitions = account, 0
        self.retries: Counter[str] = Counter()
        self.jitter = lambda wait: account.dice.uniform(0, wait)

    def further_states(self) -> int:
        """The other transitions: into choices and ends."""
        states = definition()["States"]
        entered = (name for each in self.executions.values() for name in each.states)
        return sum(states[name]["Type"] != "Task" for name in entered)

    def _once(self, execution: Execution, name: str, state: Document, retries: int) -> Any:
        self.transitions += 1
        self.retries[name] += retries > 0
        while not self.account.take("stepfunctions.transition"):
            self.cloud.clock.pass_time(RETURNS)
        return super()._once(execution, name, state, retries)

    def _call(self, process: Process, name: str, event: Any) -> Any:
        if not self.account.begin(name):
            raise Failed("Lambda.TooManyRequestsException", "Rate Exceeded.")
        process.until, process.dies_of = self.cloud.clock.now + _timeout(name), "Sandbox.Timedout"
        try:
            return super()._call(process, name, event)
        finally:
            process.until = float("inf")
            self.account.end(name)


@cache
def _timeout(function: str) -> float:
    """Seconds that a function may take."""
    source = templates.template()
    properties = source["Resources"][f"{function}Function"]["Properties"]
    return float(properties.get("Timeout", source["Globals"]["Function"]["Timeout"]))


@contextmanager
def throttled(
    game: Game, *, concurrency: int = quotas.CONCURRENCY, vcpus: float = quotas.VCPUS, seed: int = 1
) -> Iterator[tuple[Account, ThrottledMachine]]:
    """Apply AWS's rates to the game for the duration of the block."""
    account = Account(game.cloud, concurrency=concurrency, vcpus=vcpus, seed=seed)
    game.machine = machine = ThrottledMachine(game.cloud, account)
    deliver = game.deliver

    def start(number: int) -> None:
        # EventBridge tries again by itself.
        if account.take("stepfunctions.start_execution"):
            deliver(number)
        else:
            game.clock.at(TRIED_AGAIN, lambda: start(number))

    game.deliver = start  # type: ignore[method-assign]
    handlers = {**aws.FUNCTIONS}
    aws.FUNCTIONS.update({name: _queued(name, handler, account) for name, handler in handlers.items()})
    try:
        yield account, machine
    finally:
        aws.FUNCTIONS.update(handlers)


def _queued(name: str, handler: Callable[[Any, Any], object], account: Account) -> Callable[[Any, Any], object]:
    """A function that events invoke: it waits in Lambda's own queue until the concurrency allows it."""

    def run(event: Any, context: Any) -> object:
        while not account.begin(name):
            account.cloud.clock.pass_time(TRIED_AGAIN)
        try:
            return handler(event, context)
        finally:
            account.end(name)

    return run
