"""Where an app answers."""

from dataclasses import dataclass

TCP = "tcp"
# The header with which an address that stays says where it leads to: a number that grows with each move.
MARK = "portcall-version"


@dataclass(frozen=True)
class Address:
    """An address that stays: the ids of an HTTP API and of its integration, and the app's URL there."""

    api: str
    integration: str
    url: str


def url(address: str, port: int, health: str) -> str:
    """What a person opens: `http://203.0.113.7:3000/`, port 80 going without saying, or `tcp://203.0.113.7:6379`."""
    if health == TCP:
        return f"tcp://{address}:{port}"
    return f"http://{address}/" if port == 80 else f"http://{address}:{port}/"


def probe_url(address: str, port: int, health: str) -> str:
    """What the health check asks: the same with the path that `health` is."""
    return f"tcp://{address}:{port}" if health == TCP else f"http://{address}:{port}{health}"
