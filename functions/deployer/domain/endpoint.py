"""Where an app answers."""

from dataclasses import dataclass

TCP = "tcp"
USUAL = {("http", 80), ("https", 443)}
# The header with which an address that stays says where it leads to: a number that grows with each move.
MARK = "portcall-version"


@dataclass(frozen=True)
class Address:
    """An address that stays: the ids of an HTTP API and of its integration, and the app's URL there."""

    api: str
    integration: str
    url: str


def url(address: str, port: int, scheme: str) -> str:
    """What a person opens: `http://203.0.113.7:3000/`, `https://203.0.113.7/` or `tcp://203.0.113.7:6379`.

    Port 80 of `http` and port 443 of `https` go without saying.
    """
    if scheme == TCP:
        return f"tcp://{address}:{port}"
    return f"{scheme}://{address}/" if (scheme, port) in USUAL else f"{scheme}://{address}:{port}/"


def probe_url(address: str, port: int, health: str) -> str:
    """What the health check asks: the same with the path that `health` is."""
    return f"tcp://{address}:{port}" if health == TCP else f"http://{address}:{port}{health}"
