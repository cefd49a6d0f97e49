"""Why an app that runs never answered: what was seen when it was asked, and what its log says."""

import re

SERVES = r"(?:listen|serv|start|running|bound).{0,60}?"
# "Listening at: http://0.0.0.0:8080", "listening on port 8080", "Serving HTTP on 0.0.0.0 port 8080"
PORT = re.compile(SERVES + r"(?:port[ =:]+|localhost:|\.\d+:|[\]\s*]:)(?P<port>[1-9]\d{1,4})\b", re.IGNORECASE)
LOOPBACK = re.compile(SERVES + r"(?:127\.0\.0\.1|localhost|\[::1\])", re.IGNORECASE)
EVERYWHERE = re.compile(r"0\.0\.0\.0|\[::\]|\*:\d")
ERROR = re.compile(r"answered (?P<status>5\d\d)")


def explain(seen: str, log: list[str], port: int) -> tuple[str, str]:
    """The verdict, which ends the mail's subject, and the hint; `port` is the one that was asked."""
    if error := ERROR.search(seen):
        return f"never answered: only errors ({error['status']})", (
            "It listens, but answers each time with an error; its log, below, may say why. Anything below "
            "500 will do, a 404 too. `LABEL portcall.health=/another/page` has another page asked."
        )
    if "not speak HTTP" in seen:
        return f"never answered: no HTTP on port {port}", (
            "Something listens there that does not speak HTTP. If it speaks HTTPS, switch that off. If it is "
            "no web server at all, add `LABEL portcall.health=tcp` to the Dockerfile."
        )
    if "timed out" in seen:
        return f"never answered: port {port} timed out", (
            "It is stuck, or too busy to answer. If it starts slowly, add `LABEL portcall.timeout=800` "
            "(seconds) to the Dockerfile."
        )
    if other := _port_in(log, port):
        return f"never answered: it listens on port {other}, not {port}", (
            f"Its log speaks of port {other}, but {port} was asked. Make it listen on {port}, or say "
            f"`EXPOSE {other}` in the Dockerfile and nothing else."
        )
    if any(map(LOOPBACK.search, log)) and not any(map(EVERYWHERE.search, log)):
        return "never answered: it listens on 127.0.0.1 only", (
            "Its log says so, and there nobody outside its container can reach it. It must listen on "
            f"0.0.0.0, port {port}: most servers take that as --host, --bind or HOST."
        )
    nothing = "nothing accepted" in seen
    return f"never answered: nothing listens on port {port}" if nothing else "never answered", (
        f"The app must listen on 0.0.0.0 (not 127.0.0.1), port {port}. If it uses another port, the Dockerfile "
        "says so with EXPOSE; if it starts slowly, with `LABEL portcall.timeout=800` (seconds)."
    )


def _port_in(log: list[str], asked: int) -> int | None:
    """The port that the app itself says it listens on, as nearly all servers do when they start."""
    ports = [int(found["port"]) for line in log for found in PORT.finditer(line)]
    return next((port for port in ports if port < 65536 and asked not in ports), None)
