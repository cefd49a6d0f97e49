"""Why an app that runs never answered: from what the probe saw, and from the app's log."""

import re
from collections.abc import Collection, Sequence

from deployer.domain import connection_rules
from deployer.domain.ports import AUXILIARY
from deployer.domain.stop_rules import AS_A_SETTING, LINE_LIMIT, Words
from deployer.domain.text import ESCAPES, printable

SERVES = r"(?:listen|serv|start|running|bound|local:|network:|ready on|available).{0,60}?"
# "Listening at: http://0.0.0.0:8080", "listening on port 8080", "Serving HTTP on 0.0.0.0 port 8080"
PORT = re.compile(SERVES + r"(?:port[ =:]+|localhost:|\.\d+:|[\]\s*]:)(?P<port>[1-9]\d{1,4})\b", re.IGNORECASE)
LOOPBACK = re.compile(SERVES + r"(?:127\.0\.0\.1|localhost|\[::1\])", re.IGNORECASE)
EVERYWHERE = re.compile(r"0\.0\.0\.0|\[::\]|\*:\d")
# Words that mark a line about another port than the app's, or about another server.
NOT_THE_APP = re.compile(
    "metric|prometheus|debug|inspect|profil|pprof|admin|management|actuator|grpc|statsd|connect|database|"
    "upstream|proxy|livereload",
    re.IGNORECASE,
)
WAITS = re.compile(
    r"\bwait(?:s|ing)? (?:up to )?(?:\d+ ?s\w{0,6} )?(?:for|on|until) (?:the |\w{1,12}://)?(?P<server>[a-z][\w.-]{1,60})",
    re.IGNORECASE,
)
# What a server, a worker or a debugger waits for once it is ready.
ITS_WORK = re.compile(
    r"^(?:connections?|requests?|clients?|messages?|jobs?|tasks?|events?|work|changes|file|files|debugger|"
    r"incoming|new|input|signals?|a|an|all|it)\b",
    re.IGNORECASE,
)
FASTCGI = re.compile(r"fpm is running|ready to handle connections|uwsgi socket \d", re.IGNORECASE)
ERROR = re.compile(r"answered (?P<status>5\d\d)")
SEEN_ON = re.compile(r"port (\d+)")
# How many lines may follow the line that says that a server listens, e.g. "Press CTRL+C to quit".
LINES_AFTER = 5
QUOTED = 160

REFUSED, TIMED_OUT = "nothing accepted", "timed out"
NOT_HTTP, CLOSED, SLOW = "does not speak HTTP", "closed each connection", "gave no answer"
KINDS = (NOT_HTTP, CLOSED, SLOW, TIMED_OUT)

TIME = "add `LABEL portcall.timeout=800` (seconds) to the Dockerfile."


def recognize(seen: str, log: Sequence[str], port: int) -> Words:
    """The words for the mail; `seen` is the probe's message, `port` the likeliest of the tried ports."""
    what = _kinds(seen)
    if error := ERROR.search(seen):
        words = Words(
            f"never answered: only errors ({error['status']})",
            "It listens, but answers every request with an error. Its log, below, may say why. Any "
            "status below 500 passes, even 404. To check another page, add `LABEL "
            "portcall.health=/another/page`.",
        )
        return _with_what_it_lacks(words, log)
    if (at := what.get(NOT_HTTP) or what.get(CLOSED)) and any(map(FASTCGI.search, log)):
        return Words(
            f"never answered: FastCGI, not HTTP, on port {at}",
            "PHP-FPM and uWSGI need a web server in front of them. Add nginx or Apache to the same "
            "image, or use an image that has one (for example php:apache). uWSGI speaks HTTP with "
            "--http.",
        )
    if at := what.get(NOT_HTTP):
        return Words(
            f"never answered: no HTTP on port {at}",
            "The program that listens there does not speak HTTP. If it is not a web server, add "
            "`LABEL portcall.health=tcp` to the Dockerfile.",
        )
    if at := what.get(CLOSED):
        words = Words(
            f"never answered: port {at} closes each connection",
            f"A program listens on port {at}, but closes each connection before it answers. Either it "
            "fails on each request; then its log, below, may say why. Or it does not speak HTTP: if "
            "it is not a web server, add `LABEL portcall.health=tcp` to the Dockerfile.",
        )
        return _with_what_it_lacks(words, log)
    if at := what.get(SLOW):
        words = Words(
            f"never answered: no answer on port {at} within 10 seconds",
            f"It accepts connections on port {at}, but sends no answer. If the page is slow, name one "
            "that answers at once, for example `LABEL portcall.health=/healthz`. If it is not a web "
            "server, add `LABEL portcall.health=tcp` to the Dockerfile.",
        )
        return _with_what_it_lacks(words, log)
    if at := what.get(TIMED_OUT):
        return Words(
            f"never answered: port {at} timed out",
            f"The app may be stuck or too busy to answer. If it starts slowly, {TIME}",
        )
    if waits := _lacks(log):
        return waits
    asked = [int(found) for found in SEEN_ON.findall(seen)] or [port]
    if elsewhere := _listens_elsewhere(log, asked):
        return elsewhere
    nothing = REFUSED in seen
    ports = _listed(asked)
    return Words(
        f"never answered: no connection on port {ports}" if nothing else "never answered",
        f"The app must listen on 0.0.0.0 (not 127.0.0.1), port {ports}. If it uses another port, add "
        f"EXPOSE to the Dockerfile. If it starts slowly, {TIME} If it is a worker or a bot that "
        "listens on no port, add `LABEL portcall.health=none`.",
    )


def is_certain(seen: str, log: Sequence[str]) -> bool:
    """Whether no answer will come: the app's log says that it listens on another port or address.

    `log` are the last lines as the app wrote them. The line must be among the very last ones, because a program
    may open one port long before another.
    """
    if not all(REFUSED in each for each in seen.split("; ")):
        return False
    asked = [int(found) for found in SEEN_ON.findall(seen)]
    log = [ESCAPES.sub("", line) for line in log]
    last = [line for line in log if line.strip()][-LINES_AFTER:]
    return (
        not _lacks(log)
        and _listens_elsewhere(log, asked) is not None
        and (_listens_elsewhere(last, asked) is not None)
    )


def _kinds(seen: str) -> dict[str, int]:
    """The first port for each kind of log line; ports of metrics and debuggers only if there is no other."""
    found = [
        (kind, int(on[1]))
        for words in seen.split("; ")
        if (on := SEEN_ON.search(words))
        for kind in (REFUSED, *KINDS)
        if kind in words
    ]
    own = [each for each in found if each[1] not in AUXILIARY] or found
    return dict(reversed(own))


def _listens_elsewhere(log: Sequence[str], asked: Collection[int]) -> Words | None:
    ports = _listed(asked)
    if other := _port_in(log, asked):
        return Words(
            f"never answered: its log says port {other}, not {ports}",
            f"Its log says that it listens on port {other}, but Portcall checked {ports}. Make it "
            f"listen on {ports}, or make `EXPOSE {other}` the only EXPOSE in the Dockerfile.",
        )
    own = [line for line in log if not NOT_THE_APP.search(line[:LINE_LIMIT])]
    if any(map(LOOPBACK.search, own)) and not any(map(EVERYWHERE.search, log)):
        return Words(
            "never answered: it listens on 127.0.0.1 only",
            "Its log says so. That address cannot be reached from outside the container. Make it "
            f"listen on 0.0.0.0, port {ports}: most servers have an option --host or --bind, or read "
            "the variable HOST.",
        )
    return None


def _port_in(log: Sequence[str], asked: Collection[int]) -> int | None:
    """The port on which the app listens according to its log; nearly all servers log it when they start."""
    lines = [line[:LINE_LIMIT] for line in log]
    named = {int(found["port"]) for line in lines for found in PORT.finditer(line)}
    if named & set(asked):
        return None
    own = [
        int(found["port"]) for line in lines if not NOT_THE_APP.search(line) for found in PORT.finditer(line)
    ]
    return next((port for port in own if port < 65536 and port not in AUXILIARY), None)


def _lacks(log: Sequence[str]) -> Words | None:
    """The server that the app could not reach; None if the log names none, or says later that it listens."""
    for line in reversed(log):
        line = line[:LINE_LIMIT]
        if PORT.search(line) and not NOT_THE_APP.search(line):
            return None
        quoted = printable(line.strip(), QUOTED)
        for rule in connection_rules.RULES:
            if (found := rule.in_line(line, None)) is not None:
                words = rule.words(found)
                summary = words.summary.removeprefix("crashed: ")
                return Words(f"never answered: {summary}", f"Its log says: {quoted}\n{words.hint}")
        waits = WAITS.search(line)
        if waits and not ITS_WORK.search(waits["server"]):
            return Words(
                f"never answered: it is waiting for {waits['server']}",
                f"Its log says: {quoted}\nEach app runs in a single container, without the services of "
                "a compose file. Run that service where the app can reach it, and set its host name "
                f"{AS_A_SETTING}",
            )
    return None


def _with_what_it_lacks(words: Words, log: Sequence[str]) -> Words:
    """The same words with a possible cause, if the log names a server that could not be reached."""
    lacks = _lacks(log)
    return Words(words.summary, f"{words.hint}\nThis may be the cause. {lacks.hint}") if lacks else words


def _listed(ports: Collection[int]) -> str:
    names = [str(port) for port in dict.fromkeys(ports)]
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
