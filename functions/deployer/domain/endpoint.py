"""Where an app answers."""

from dataclasses import dataclass
from urllib.parse import urlsplit

TCP = "tcp"
# The health setting of a worker, which listens on no port and has no URL.
NONE = "none"
USUAL = {("http", 80), ("https", 443)}
# The target of a stopped app's stable URL, because somebody else may soon get its task's IP address.
# Names below example.com are reserved for ever (RFC 2606) and none but www is in the DNS. API Gateway refuses
# names outside public top-level domains, such as .invalid (https://github.com/aws/aws-cdk/issues/24017).
NOWHERE = "http://stopped.example.com/"


@dataclass(frozen=True)
class StableUrl:
    """A stable URL: the id of an HTTP API, and the app's URL there."""

    api: str
    url: str


def no_stable_url(url: str) -> str:
    """Why an app that answers at its own URL cannot have a stable URL, '' if it can.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html (ports)
    """
    if not url:
        return "it listens on no port."
    parts = urlsplit(url)
    if parts.scheme == TCP:
        return "stable URLs are for HTTP, and this app speaks plain TCP."
    if parts.scheme == "https":
        return "it only answers TLS, and API Gateway accepts no certificate for the IP address of a task."
    port = parts.port or 80
    if port not in (80, 443) and port < 1024:
        return "API Gateway only calls the ports 80, 443 and 1024 to 65535."
    return ""


def url(address: str, port: int, scheme: str) -> str:
    """What a person opens: `http://203.0.113.7:3000/`, `https://203.0.113.7/` or `tcp://203.0.113.7:6379`.

    Port 80 of `http` and port 443 of `https` are left out.
    """
    if scheme == TCP:
        return f"tcp://{address}:{port}"
    return f"{scheme}://{address}/" if (scheme, port) in USUAL else f"{scheme}://{address}:{port}/"


def probe_url(address: str, port: int, health: str) -> str:
    """The URL of the health check: the same with the path of `health`."""
    return f"tcp://{address}:{port}" if health == TCP else f"http://{address}:{port}{health}"
