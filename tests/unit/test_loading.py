"""Which function loads next in the embedded cloud: one that somebody waits for before one that is only woken."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from localcloud.patches.aws_lambda.loading import Loading


@dataclass
class Worker:
    is_loaded: bool = False
    in_use: bool = False


@dataclass
class Pools:
    """Workers by function, as MiniStack keeps them, and the order in which functions started to load."""

    loading: Loading
    workers: dict[str, list[Worker]] = field(default_factory=dict)
    began: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, function: str) -> Worker:
        with self.lock:
            pool = self.workers.setdefault(function, [])
            free = next((each for each in pool if not each.in_use), None)
            if free is None:
                free = Worker()
                pool.append(free)
            free.in_use = True
            return free

    def release(self, worker: Worker) -> None:
        with self.lock:
            worker.in_use = False

    def call(
        self, function: str, load: Callable[[], object], work: Callable[[], object], *, asynchronous: bool
    ) -> None:
        lease = self.loading.lease(
            function, lambda: self.acquire(function), self.release, asynchronous=asynchronous
        )
        with lease as (worker, loaded):
            if not worker.is_loaded:
                self.began.append(function)
                load()
                worker.is_loaded = True
                loaded()
            work()


class Calls:
    """Calls on threads of their own; `load` and `work` of each end when the test says so."""

    def __init__(self, pools: Pools) -> None:
        self.pools = pools
        self.threads: list[threading.Thread] = []

    def start(self, function: str, *, asynchronous: bool = False) -> "Call":
        call = Call()
        arguments = (function, call.loads.wait, call.works.wait)
        thread = threading.Thread(target=self.pools.call, args=arguments, kwargs={"asynchronous": asynchronous})
        thread.start()
        self.threads.append(thread)
        return call


@dataclass
class Call:
    loads: threading.Event = field(default_factory=threading.Event)
    works: threading.Event = field(default_factory=threading.Event)

    def end(self) -> None:
        self.loads.set()
        self.works.set()


@pytest.fixture
def pools() -> Pools:
    return Pools(Loading(at_once=1))


@pytest.fixture
def calls(pools: Pools) -> Iterator[Calls]:
    found = Calls(pools)
    yield found
    for thread in found.threads:
        thread.join(10)
        assert not thread.is_alive()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def waiting(pools: Pools, number: int) -> None:
    until(lambda: len(pools.loading._waiting) == number)


def test_as_many_load_at_once_as_there_are_processors(pools, calls):
    one = calls.start("one")
    until(lambda: pools.began)
    two = calls.start("two")
    waiting(pools, 1)
    assert pools.began == ["one"]
    one.end()
    until(lambda: pools.began == ["one", "two"])
    two.end()


def test_a_called_function_loads_before_a_woken_one(pools, calls):
    one = calls.start("one")
    until(lambda: pools.began)
    woken = calls.start("woken", asynchronous=True)
    waiting(pools, 1)
    called = calls.start("called")
    waiting(pools, 2)
    one.end()
    until(lambda: pools.began == ["one", "called"])
    called.end()
    until(lambda: pools.began == ["one", "called", "woken"])
    woken.end()


def test_who_came_first_loads_first(pools, calls):
    first = calls.start("0")
    until(lambda: pools.began)
    later = []
    for number in "123":
        later.append(calls.start(number))
        waiting(pools, len(later))
    for call in [first, *later]:
        call.end()
    until(lambda: pools.began == ["0", "1", "2", "3"])


def test_a_call_waits_for_the_process_that_a_wake_loads(calls):
    pools = calls.pools = Pools(Loading(at_once=2))
    woken = calls.start("same", asynchronous=True)
    until(lambda: pools.began)
    called = calls.start("same")
    waiting(pools, 1)
    called.end()
    woken.end()
    until(lambda: not pools.loading._waiting)
    assert pools.began == ["same"]
    assert len([each for each in pools.workers["same"] if each.is_loaded]) == 1


def test_it_does_not_wait_for_long_for_what_the_first_does_with_its_event(calls):
    pools = calls.pools = Pools(Loading(at_once=2))
    busy = calls.start("same", asynchronous=True)
    busy.loads.set()
    until(lambda: pools.workers["same"][0].is_loaded)
    called = calls.start("same")
    called.end()
    until(lambda: pools.began == ["same", "same"])
    busy.end()


def test_a_process_that_is_free_needs_no_processor(pools, calls):
    warm = calls.start("warm")
    warm.end()
    until(lambda: not any(each.in_use for each in pools.workers.get("warm", [])) and pools.began)
    loads = calls.start("loads")
    until(lambda: pools.began == ["warm", "loads"])
    calls.start("warm", asynchronous=True).end()
    calls.start("warm").end()
    waiting(pools, 0)
    assert pools.began == ["warm", "loads"]
    loads.end()


def test_one_that_fails_to_load_lets_others_load(pools, calls):
    def fail() -> None:
        raise RuntimeError("no such module")

    with pytest.raises(RuntimeError):
        pools.call("broken", fail, lambda: None, asynchronous=False)
    next_one = calls.start("next")
    until(lambda: pools.began == ["broken", "next"])
    next_one.end()
