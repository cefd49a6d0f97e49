"""Why a program could not even be started, as Linux, runc and the shells say it.

What they say was tried with dash, bash, busybox and coreutils; runc's own words:
https://github.com/opencontainers/runc/blob/main/libcontainer/standard_init_linux.go
"""

from deployer.domain.stop_rules import PROGRAM, SCRIPT, Rule

SHELL_SAYS = rf"^[\w./-]+: (?:exec: )?(?:line )?(?:\d+: )?(?:exec: )?{PROGRAM}: (?:cannot execute: )?"
TINI_SAYS = rf"^\[\w+ +tini \(\d+\)\] exec {PROGRAM} failed: "
# A carriage return at the end of a name: as it is, or as `\r`, where the shell or Python shows it.
RETURN = r"(?:\\r|\r)"

RULES = (
    Rule(
        "failed to start: a script has Windows line endings",
        "A script in the image ends its lines with CRLF, and Linux takes the CR for a part of the name before "
        "it. Save it with LF: `RUN sed -i 's/\\r$//' <script>` in the Dockerfile does that, `*.sh text eol=lf` "
        "in .gitattributes keeps it so.",
        log=(
            rf"{RETURN}['’]",
            r"\r: ",
            r"set: Illegal option -\s*$",
            r"^Unknown option: -\s*$",
        ),
    ),
    Rule(
        "failed to start: a script begins with a byte order mark",
        "Before `#!` stands an invisible mark (a UTF-8 BOM), and so Linux does not know that line. Save the "
        "script as UTF-8 without BOM.",
        log=(r"(?:\ufeff|\\ufeff|\xef\xbb\xbf|\\xef\\xbb\\xbf)#!",),
    ),
    # Linux says the same of a script without its first line and of one whose shell is another CPU's.
    Rule(
        "failed to start: {script} cannot be run",
        "{script} is in the image, but Linux does not know what it is. Does it begin with `#!/bin/sh`, or the "
        "like? Add that line if it is missing. If it is there, the file may have been saved as UTF-8 with BOM, "
        "which puts an invisible mark before it: save it without. Else the image may be built for another CPU "
        "than {platform}: build it with `docker build --platform {platform} ...`.",
        reason=(rf"exec: \"?{SCRIPT}\"?: exec format error",),
        log=(rf"^exec {SCRIPT}: exec format error",),
    ),
    Rule(
        "failed to start: wrong CPU architecture",
        "The image says that it is for {platform}, but its program is for another CPU. Build it anew with "
        "`docker build --platform {platform} ...`.",
        reason=(r"matching platform|no match(?:ing manifest)? for",),
        log=("cannot execute binary file",),
    ),
    Rule(
        "failed to start: perhaps the wrong CPU architecture",
        "Linux does not know what its program is. Most often it is built for another CPU than {platform}, "
        "which the image says that it is for: build it with `docker build --platform {platform} ...`. If it is "
        "a script, it lacks its first line, such as `#!/bin/sh`, or has an invisible mark (a BOM) before it.",
        reason=("exec format error",),
        log=("exec format error",),
    ),
    Rule(
        "failed to start: the shell that {script} names is not there",
        "{script} is in the image, but what its first line (#!) names is not. Mostly the file has Windows line "
        "endings: save it with LF instead of CRLF. Or it names bash, and the image, as Alpine, has only sh.",
        log=(rf"^exec {SCRIPT}: no such file or directory",),
    ),
    Rule(
        "failed to start: {program} was built for another Linux",
        "{program} is in the image, but the loader that it needs is not: what is built on Debian or Ubuntu "
        "does not run on Alpine. Build it on the base image that it runs on, or link it statically. If it is a "
        "script, its first line (#!) names a shell that is not there, or ends with CRLF.",
        log=(rf"^exec {PROGRAM}: no such file or directory",),
    ),
    Rule(
        "failed to start: its program, or what that needs, is not there",
        "Either CMD or ENTRYPOINT names a file that is not in the image; or it is a script with Windows line "
        "endings (save it with LF), or whose first line (#!) names a shell that the image lacks.",
        log=(r"exec user process caused.{0,5}: \"?no such file or directory",),
    ),
    Rule(
        "failed to start: a shared library is missing",
        "The image lacks {library}. Install the package that brings it in the Dockerfile; packages.debian.org "
        "finds it by the file's name.",
        log=(
            r"(?P<library>[\w.+-]{1,80}\.so[.\d]*): "
            r"(?:cannot open shared object file|no such file or directory)",
        ),
    ),
    Rule(
        "failed to start: built for a newer Linux than its base image",
        "It needs {version}, which the base image's C library does not have. Build it on the base image that "
        "it runs on, use a newer base image, or link it statically.",
        log=(r"version [`'](?P<version>GLIBC(?:XX)?_[\d.]+)'? not found",),
    ),
    Rule(
        "failed to start: built for another Linux",
        "What is built on Debian or Ubuntu does not run on Alpine, whose C library is another one (musl). "
        "Build it, its dependencies included, on the base image that it runs on.",
        log=(r"^Error relocating [^:]{1,100}: \S+: symbol not found",),
    ),
    Rule(
        "failed to start: {program} may not be executed",
        "{program} is in the image, but is no executable file. Add `RUN chmod +x {program}` to the Dockerfile.",
        reason=(r"exec: \"(?P<program>[^\"]+)\": permission denied",),
        log=(rf"^exec {PROGRAM}: permission denied", TINI_SAYS + "permission denied"),
    ),
    Rule(
        "failed to start: {program} may not be executed",
        "{program} is in the image, but is no executable file. Add `RUN chmod +x {program}` to the Dockerfile.",
        log=(SHELL_SAYS + "permission denied",),
        codes=(126,),
    ),
    Rule(
        "failed to start: {program} is not in the image",
        "CMD or ENTRYPOINT starts {program}, which is not there. Is its name spelt right, does the Dockerfile "
        "install or COPY it, and is its folder in PATH?",
        reason=(r"exec: \"(?P<program>[^\"]+)\": (?:stat|executable file not found|is a directory)",),
        log=(rf"exec: \"{PROGRAM}\": (?:stat|executable file not found|is a directory)",),
    ),
    Rule(
        "failed to start: {program} is not in the image",
        "CMD, ENTRYPOINT or a start script names {program}, which is not there. Is its name spelt "
        "right, does the Dockerfile install or COPY it, and is its folder in PATH?",
        log=(
            SHELL_SAYS + r"(?:command )?not found",
            rf"^(?:\S{{0,100}}/)?env: (?:can't execute )?['‘]?{PROGRAM}['’]?: no such file",
            TINI_SAYS + "no such file",
        ),
        codes=(127,),
    ),
    Rule(
        "failed to start: its arguments and environment are too large",
        "Linux takes 128 KiB for one variable or argument, and about 2 MiB for all of a program's. Which of "
        "ENV, the labels portcall.env.* or the app's parameters is that large? Put it into a file.",
        reason=("argument list too long",),
        log=("argument list too long|E2BIG",),
    ),
    Rule(
        "failed to start: its command cannot be run",
        "Something in the image's CMD, ENTRYPOINT, USER or WORKDIR is not right; the reason above says what.",
        reason=("cannot(?:start|create)container",),
    ),
)
