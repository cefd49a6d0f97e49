"""Token buckets: which calls are within the rates of quotas.py. No clock of its own."""

from collections import Counter
from collections.abc import Iterable

from bench.rates_and_prices import quotas
from bench.rates_and_prices.quotas import Bucket


class Tokens:
    """The tokens that are left in a bucket, by a clock in seconds."""

    def __init__(self, bucket: Bucket, now: float) -> None:
        self.bucket, self.left, self.at = bucket, bucket.burst, now
        self.taken = 0

    def is_empty(self, now: float) -> bool:
        self.left = min(self.bucket.burst, self.left + (now - self.at) * self.bucket.per_second)
        self.at = now
        # Adding up fractions of a second loses a little.
        return self.left < 1 - 1e-6

    def take(self) -> None:
        self.left -= 1
        self.taken += 1


class Rates:
    """The rates of one account. `throttled` counts the calls that were refused, by bucket."""

    def __init__(self, now: float, buckets: Iterable[Bucket] = quotas.BUCKETS) -> None:
        self.throttled: Counter[str] = Counter()
        self.tokens = {each.name: Tokens(each, now) for each in buckets}
        self._of: dict[str, list[Tokens]] = {}
        for tokens in self.tokens.values():
            for call in tokens.bucket.calls:
                self._of.setdefault(call, []).append(tokens)

    def take(self, call: str, now: float) -> bool:
        """Whether a call, `service.operation`, is within the rates; if so, it is counted."""
        buckets = self._of.get(call, [])
        empty = [each for each in buckets if each.is_empty(now)]
        self.throttled.update(each.bucket.name for each in empty)
        if not empty:
            for each in buckets:
                each.take()
        return not empty


def registered_by(pushed: Iterable[float]) -> float:
    """The earliest time at which AWS could have registered all of these pushes, in seconds."""
    now, tokens = 0.0, Tokens(quotas.REGISTER, 0.0)
    for at in sorted(pushed):
        now = max(now, at)
        if tokens.is_empty(now):
            now += (1 - tokens.left) / tokens.bucket.per_second
            tokens.is_empty(now)
        tokens.take()
    return now


def most_within(times: list[float], seconds: float) -> int:
    """The largest number of the sorted `times` within `seconds`."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
