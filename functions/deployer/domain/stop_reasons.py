"""Why a task stopped: from AWS's reason, or else the last line of the app's log, or else the exit code."""

import re
from collections.abc import Sequence

from deployer.domain import aws_reasons, connection_rules, crash_rules, start_rules
from deployer.domain.stop_rules import Rule, Words
from deployer.domain.text import printable

# The first rule that matches counts, so certain causes come before likely ones.
RULES = (*start_rules.RULES, *aws_reasons.RULES, *crash_rules.RULES, *connection_rules.RULES)

EXIT_CODES = {
    0: Rule(
        "failed: it exited (exit code 0)",
        "A deployed app must keep running in the foreground: start the server itself in CMD, without `&`, "
        "`-d` or `--daemon`.",
    ),
    126: Rule(
        "failed to start: its command cannot be run",
        "A program that CMD, ENTRYPOINT or a start script starts is not executable (exit code 126).",
    ),
    127: Rule(
        "failed to start: its command cannot be run",
        "A program that CMD, ENTRYPOINT or a start script starts was not found (exit code 127).",
    ),
    132: Rule(
        "crashed: illegal instruction (exit code 132)",
        "A program was built for a newer CPU than Fargate has. Build it without -march=native.",
    ),
    134: Rule(
        "crashed: it aborted (exit code 134)",
        "The end of its log, below, may say why. Native code and Node.js also abort when memory runs "
        "out: it has {memory} MiB; request more with `LABEL portcall.memory=`.",
    ),
    137: Rule(
        "was killed (exit code 137)",
        "It received SIGKILL. Most often Linux sends that when memory runs out: request more than "
        "{memory} MiB with `LABEL portcall.memory=`. If that does not help, find out what sends "
        "SIGKILL.",
    ),
    139: Rule(
        "crashed: segmentation fault (exit code 139)",
        "Native code crashed, often a package that was built for another Linux distribution or CPU. "
        "Rebuild the dependencies on the base image that they run on, for {platform}.",
    ),
    143: Rule(
        "received SIGTERM (exit code 143)",
        "Portcall did not send it; something in the container did, for example a supervisor or a "
        "start script. Start the server with `exec` in the last line of the script.",
    ),
}
# These causes are so clear that an earlier line adds nothing.
INFORMATIVE = EXIT_CODES.keys() - {126, 127}

# Lines that follow an error: stack traces, further lines of a message, goodbyes.
AFTER_AN_ERROR = re.compile(
    r"^\s|^$|^[\W_]+$|^at |^from |^created by |^goroutine |^main\.|^\[signal |"
    r"^\w+ \w+ \(most recent call last\):|^Node\.js v|^Require stack|^- /|^npm |^ELIFECYCLE|"
    r"^error Command failed|^info Visit|^exit status |^\(Background on|^usage: |^(?:set|cd): usage|^Try |"
    r"env: use |^Terminating|^Aborted|^Killed|worker \(pid:? ?\d+\)|worker exiting|worker failed to boot|"
    r"shutting down|shutdown|\bexit(?:ing|ed)\b|application startup failed",
    re.IGNORECASE,
)
QUOTED = 160

LAST_WORDS = "It exited. The end of its log, below, may say why."
NO_WORDS = (
    "It exited without log output. If it logs to a file, make it log to standard output instead. Try `docker "
    "run` on your machine to see what it does."
)


def recognize(*, reason: str, log: Sequence[str], code: int | None, platform: str, memory: str) -> Words:
    """The words for the mail about a stopped task. Facts are AWS's reason, the last line and the exit code.

    `log` are the last lines, without colours and other escape sequences. A cause from an earlier line is given
    as a possible cause, together with that line.
    """
    given = {"platform": platform, "memory": memory, "code": str(code)}
    for rule in RULES:
        if (names := rule.in_reason(reason)) is not None:
            return rule.words(given | names)
    found = _last_found(log, code)
    if found and found[0] >= _first_of_the_last_words(log):
        return found[1].words(given | found[2])
    if by_code := EXIT_CODES.get(-1 if code is None else code):
        words = by_code.words(given)
    elif code is None:
        return Words("failed to start", "The reason above is AWS's error message.", again=True)
    else:
        words = Words(f"failed to start: exit code {code}", LAST_WORDS if log else NO_WORDS)
    if not found or code in INFORMATIVE:
        return words
    at, rule, names = found
    line = printable(log[at].strip(), QUOTED)
    perhaps = rule.words(given | names).hint
    return Words(words.summary, f"Before it exited, its log says: {line}\nIf that is the cause: {perhaps}")


def _last_found(lines: Sequence[str], code: int | None) -> tuple[int, Rule, dict[str, str]] | None:
    """The last line that names a cause: its index, the rule, and what the rule's groups found."""
    for at in range(len(lines) - 1, -1, -1):
        for rule in RULES:
            if (names := rule.in_line(lines[at], code)) is not None:
                return at, rule, names
    return None


def _first_of_the_last_words(lines: Sequence[str]) -> int:
    """The index of the last line that is not part of a stack trace or the like."""
    for at in range(len(lines) - 1, -1, -1):
        if not AFTER_AN_ERROR.search(lines[at]):
            return at
    return 0
