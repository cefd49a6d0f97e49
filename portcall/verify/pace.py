"""Time-outs: AWS takes minutes for what the embedded cloud does in a second."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """All in seconds.

    `mail` is the longest time from a push to its mail, `event` from a change to its event. `quiet` is how long
    to wait before concluding that nothing will come. `health` is the install's HealthTimeout.
    """

    mail: float
    event: float
    quiet: float
    health: int
    look_every: float


AWS = Pace(mail=420, event=60, quiet=60, health=60, look_every=2)
EMBEDDED = Pace(mail=90, event=15, quiet=4, health=5, look_every=0.2)
