"""Why a task stopped: what gives a cause away in AWS's own reason, in the app's log, or in the exit code.

Sources: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html for AWS's
reasons, runc for what becomes of a program that cannot be started.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """What is told: `verdict` ends the mail's subject, `hint` says what to do.

    `again` says that the same image may be deployed again, `passing` that AWS's side failed, which may pass.
    """

    verdict: str
    hint: str
    again: bool = False
    passing: bool = False


@dataclass(frozen=True)
class Sign:
    """A cause, and what gives it away: all of `reason`, or a line of the `log`, or an exit code.

    What is told is as in Words. `verdict` and `hint` may name what a pattern's groups found, `{platform}` and
    `{memory}`.
    """

    verdict: str
    hint: str
    reason: tuple[str, ...] = ()
    log: str = ""
    codes: tuple[int, ...] = ()
    again: bool = False
    passing: bool = False

    def names(self, reason: str, log: list[str], code: int | None) -> dict[str, str] | None:
        """What the patterns' groups found; None where this is not the cause."""
        found = [re.search(pattern, reason, re.IGNORECASE) for pattern in self.reason]
        if found and all(found):
            return {name: text for each in found if each for name, text in each.groupdict().items()}
        if self.log:
            for line in reversed(log):
                if said := re.search(self.log, line, re.IGNORECASE):
                    return said.groupdict()
        return {} if code in self.codes else None


SCRIPT = r"(?P<script>/?[\w./-]+\.(?:sh|bash|py|js|rb|pl))"
PROGRAM = r"(?P<program>/?[\w./-]+)"
SHELL_SAYS = rf"^(?:[\w./-]+): (?:line )?(?:\d+: )?(?:exec: )?{PROGRAM}: "
SECRET = r"secrets? from (?:asm|ssm)|fetch secret|secrets ?manager:|ssm:"  # noqa: S105 - a pattern
PULL = r"cannotpull|pull [\w ]*registry auth"
GONE = r"not found|unknown|404|does not exist"
DENIED = r"403|access ?denied|not authorized|kms"

# The first that fits is told, so what is certain comes before what is likely.
SIGNS = (
    # Linux says the same of a script without its first line and of one whose shell is another CPU's.
    Sign(
        "failed to start: {script} cannot be run",
        "Is the first line of {script} `#!/bin/sh`, or the like? Add it, if not. If it is, the image is "
        "built for another CPU than {platform}: build it with `docker build --platform {platform} ...`.",
        reason=(rf"exec: \"?{SCRIPT}\"?: exec format error",),
        log=rf"^exec {SCRIPT}: exec format error",
    ),
    Sign(
        "failed to start: wrong CPU architecture",
        "The image says that it is for {platform}, but its program is for another CPU. Build it anew with "
        "`docker build --platform {platform} ...`.",
        reason=(r"exec format error|matching platform|no match(?:ing manifest)? for",),
        log="exec format error",
    ),
    Sign(
        "failed to start: the shell that {script} names is not there",
        "{script} is in the image, but what its first line (#!) names is not. Mostly the file has Windows line "
        "endings: save it with LF instead of CRLF. Or it names bash, and the image, as Alpine, has only sh.",
        log=rf"^exec {SCRIPT}: no such file or directory",
    ),
    Sign(
        "failed to start: {program} was built for another Linux",
        "{program} is in the image, but the loader that it needs is not: what is built on Debian or Ubuntu "
        "does not run on Alpine. Build it on the base image that it runs on, or link it statically.",
        log=rf"^exec {PROGRAM}: no such file or directory",
    ),
    Sign(
        "failed to start: a shared library is missing",
        "The image lacks {library}. Install the package that brings it in the Dockerfile; packages.debian.org "
        "finds it by the file's name.",
        log=r"(?P<library>[\w.+-]+\.so[.\d]*): (?:cannot open shared object file|no such file or directory)",
    ),
    Sign(
        "failed to start: {program} may not be executed",
        "{program} is in the image, but is no executable file. Add `RUN chmod +x {program}` to the Dockerfile.",
        reason=(r"exec: \"(?P<program>[^\"]+)\": permission denied",),
        log=SHELL_SAYS + "permission denied",
    ),
    Sign(
        "failed to start: {program} is not in the image",
        "CMD or ENTRYPOINT starts {program}, which is not there. Is its name spelt right, does the Dockerfile "
        "install or COPY it, and is its folder in PATH?",
        reason=(r"exec: \"(?P<program>[^\"]+)\": (?:stat|executable file not found|is a directory)",),
        log=SHELL_SAYS + r"(?:command )?not found",
    ),
    Sign(
        "failed to start: its command cannot be run",
        "Something in the image's CMD, ENTRYPOINT, USER or WORKDIR is not right; the reason above says what.",
        reason=("cannot(?:start|create)container",),
    ),
    Sign(
        "failed: out of memory",
        "The app needs more than {memory} MiB. Ask for more in the Dockerfile, with `LABEL portcall.memory=`; "
        "for all apps, deploy Portcall with a larger TaskMemory.",
        reason=("outofmemory",),
    ),
    Sign(
        "failed to start: a secret may not be read",
        "Fargate's role may not read the secret that the reason names, or not decrypt it. Allow both to the "
        "stack's ExecutionRole.",
        reason=(SECRET, DENIED),
        again=True,
    ),
    Sign(
        "failed to start: a secret is missing",
        "Is there a secret of exactly the name that the reason tells, in this region? Create it, or correct "
        "the name.",
        reason=(SECRET,),
        again=True,
    ),
    Sign(
        "failed to start: the image is too large",
        "A task has 20 GiB of disk, its image included. Make the image smaller: a slimmer base, several "
        "stages, a .dockerignore.",
        reason=("no space left on device",),
    ),
    Sign(
        "failed to start: the image may not be pulled",
        "The stack's ExecutionRole pulls images, and must be as Portcall made it: Detect drift, in "
        "CloudFormation's console, shows what was changed. If the repository has a policy of its own, that "
        "must allow the role, too.",
        reason=(PULL, DENIED),
        again=True,
    ),
    Sign(
        "failed to start: the image is gone",
        "The image, or a layer of it, is not in the repository: was it deleted after the push? Push it again.",
        reason=(PULL, GONE),
    ),
    Sign(
        "failed to start: the image could not be pulled",
        "If it happens again, Fargate finds no way to ECR: Detect drift, in CloudFormation's console, shows "
        "what was changed in Portcall's network.",
        reason=(PULL,),
        passing=True,
    ),
    Sign(
        "failed: AWS has no capacity",
        "Your account may be at its Fargate vCPU quota: ask for more under Service Quotas. Else AWS is short "
        "of machines, which passes.",
        reason=("capacity is unavailable|insufficient capacity|limit on the number",),
        passing=True,
    ),
    Sign(
        "failed to start: AWS could not set it up",
        "Nothing is wrong with the image. If it happens again, Detect drift, in CloudFormation's console, "
        "shows what was changed in Portcall's network, roles or log group.",
        reason=("resourceinitialization|network interface provision|timeout waiting for",),
        passing=True,
    ),
    Sign(
        "failed: AWS took its machine away",
        "Nothing is wrong with the image.",
        reason=("spot task was interrupted|scheduled for retirement|underlying infrastructure",),
        passing=True,
    ),
    Sign(
        "failed: its port is in use inside the container",
        "Two programs in the container want the same port: a start script or a supervisor that starts the "
        "server twice, say, or a server and its reloader. Start one of them only.",
        log=r"EADDRINUSE|address already in use|port \d+ is (?:already )?in use",
    ),
    Sign(
        "failed: it ended by itself (exit code 0)",
        "A deployed app must keep running in the foreground: start the server itself in CMD, without `&`, "
        "`-d` or `--daemon`.",
        codes=(0,),
    ),
    Sign(
        "failed to start: its command cannot be run",
        "A program that CMD, ENTRYPOINT or a start script names is not in the image, or is not executable.",
        codes=(126, 127),
    ),
    Sign(
        "was killed (exit code 137)",
        "Something in the container killed it; mostly that is Linux, for lack of memory. Give it more than "
        "{memory} MiB with `LABEL portcall.memory=`. If that does not help, look for what sends SIGKILL.",
        codes=(137,),
    ),
    Sign(
        "crashed: segmentation fault (exit code 139)",
        "Native code crashed: often a package that was built for another Linux or CPU. Rebuild the "
        "dependencies on the base image that they run on, for {platform}.",
        codes=(139,),
    ),
    Sign(
        "crashed: illegal instruction (exit code 132)",
        "A program was built for a newer CPU than Fargate has. Build it without -march=native.",
        codes=(132,),
    ),
    Sign(
        "was told to stop (exit code 143)",
        "Something in the container sent it SIGTERM, and it was not Portcall: a supervisor, say, or a start "
        "script. Start the server with `exec` as the script's last line.",
        codes=(143,),
    ),
)

LAST_WORDS = "It ended by itself; the end of its log, below, may say why."
NO_WORDS = (
    "It ended by itself, without a word. Does it log to a file? Let it write to its standard output, and see "
    "what it says with `docker run` on your machine."
)


def recognize(*, reason: str, log: list[str], code: int | None, platform: str, memory: str) -> Words:
    """What is told of the first sign that fits, or of the bare exit code."""
    for sign in SIGNS:
        names = sign.names(reason, log, code)
        if names is not None:
            told = {"platform": platform, "memory": memory, **names}
            return Words(sign.verdict.format(**told), sign.hint.format(**told), sign.again, sign.passing)
    if code is not None:
        return Words(f"failed to start: exit code {code}", LAST_WORDS if log else NO_WORDS)
    return Words("failed to start", "The reason above is AWS's error message.", again=True)
