"""Rules for why a program could not be started, in the words of Linux, runc and the shells.

Tried with dash, bash, busybox and coreutils; runc's messages:
https://github.com/opencontainers/runc/blob/main/libcontainer/standard_init_linux.go
"""

from deployer.domain.stop_rules import PROGRAM, SCRIPT, Rule

SHELL_SAYS = rf"^[\w./-]+: (?:exec: )?(?:line )?(?:\d+: )?(?:exec: )?{PROGRAM}: (?:cannot execute: )?"
TINI_SAYS = rf"^\[\w+ +tini \(\d+\)\] exec {PROGRAM} failed: "
# A carriage return at the end of a name, as it is or as `\r`, the way shells and Python show it.
RETURN = r"(?:\\r|\r)"

RULES = (
    Rule(
        "failed to start: a script has Windows line endings",
        "A script in the image has CRLF line endings, and Linux reads the CR as part of the name "
        "before it. Save it with LF: `RUN sed -i 's/\\r$//' <script>` in the Dockerfile does that, "
        "and `*.sh text eol=lf` in .gitattributes keeps it that way.",
        log=(
            rf"{RETURN}['’]",
            r"\r: ",
            r"set: Illegal option -\s*$",
            r"^Unknown option: -\s*$",
        ),
    ),
    Rule(
        "failed to start: a script starts with a byte order mark",
        "There is an invisible byte order mark (BOM) before `#!`, so Linux does not recognize that "
        "line. Save the script as UTF-8 without BOM.",
        log=(r"(?:\ufeff|\\ufeff|\xef\xbb\xbf|\\xef\\xbb\\xbf)#!",),
    ),
    # Linux reports the same error for a script without a first line and for one whose shell is for another
    # CPU.
    Rule(
        "failed to start: {script} cannot be run",
        "{script} is in the image, but Linux cannot execute it. If it does not start with a line "
        "such as `#!/bin/sh`, add one. If it does, the file may have an invisible byte order mark "
        "(BOM) before that line: save it as UTF-8 without BOM. Otherwise the image may be built for "
        "another CPU than {platform}: build it with `docker build --platform {platform} ...`.",
        reason=(rf"exec: \"?{SCRIPT}\"?: exec format error",),
        log=(rf"^exec {SCRIPT}: exec format error",),
    ),
    Rule(
        "failed to start: wrong CPU architecture",
        "The image says that it is for {platform}, but its program is for another CPU. Rebuild it "
        "with `docker build --platform {platform} ...`.",
        reason=(r"matching platform|no match(?:ing manifest)? for",),
        log=("cannot execute binary file",),
    ),
    Rule(
        "failed to start: perhaps the wrong CPU architecture",
        "Linux cannot execute its program. Most often it was built for another CPU than {platform}, "
        "which is what the image says: build it with `docker build --platform {platform} ...`. If it "
        "is a script, its first line, such as `#!/bin/sh`, is missing or has an invisible byte order "
        "mark (BOM) before it.",
        reason=("exec format error",),
        log=("exec format error",),
    ),
    Rule(
        "failed to start: the shell of {script} was not found",
        "{script} is in the image, but the program in its first line (#!) is not. Most often the "
        "file has Windows line endings: save it with LF instead of CRLF. Or it uses bash, and the "
        "image only has sh, like Alpine.",
        log=(rf"^exec {SCRIPT}: no such file or directory",),
    ),
    Rule(
        "failed to start: {program} was built for another Linux",
        "{program} is in the image, but the dynamic loader that it needs is not: a program built on "
        "Debian or Ubuntu does not run on Alpine. Build it on the base image that it runs on, or "
        "link it statically. If it is a script, the shell in its first line (#!) was not found, or "
        "the line ends with CRLF.",
        log=(rf"^exec {PROGRAM}: no such file or directory",),
    ),
    Rule(
        "failed to start: its program, or a file that it needs, was not found",
        "CMD or ENTRYPOINT may name a file that is not in the image. If it is a script, it may have "
        "Windows line endings (save it with LF), or the shell in its first line (#!) may not be in "
        "the image.",
        log=(r"exec user process caused.{0,5}: \"?no such file or directory",),
    ),
    Rule(
        "failed to start: a shared library is missing",
        "{library} is not in the image. Install its package in the Dockerfile; packages.debian.org "
        "finds packages by file name.",
        log=(
            r"(?P<library>[\w.+-]{1,80}\.so[.\d]*): "
            r"(?:cannot open shared object file|no such file or directory)",
        ),
    ),
    Rule(
        "failed to start: built for a newer Linux than its base image",
        "It needs {version}, which is newer than the C library of the base image. Build it on the "
        "base image that it runs on, use a newer base image, or link it statically.",
        log=(r"version [`'](?P<version>GLIBC(?:XX)?_[\d.]+)'? not found",),
    ),
    Rule(
        "failed to start: built for another Linux",
        "A program built on Debian or Ubuntu does not run on Alpine, which has a different C library "
        "(musl). Build it and its dependencies on the base image that it runs on.",
        log=(r"^Error relocating [^:]{1,100}: \S+: symbol not found",),
    ),
    Rule(
        "failed to start: {program} is not executable",
        "{program} is in the image, but is not executable. Add `RUN chmod +x {program}` to the Dockerfile.",
        reason=(r"exec: \"(?P<program>[^\"]+)\": permission denied",),
        log=(rf"^exec {PROGRAM}: permission denied", TINI_SAYS + "permission denied"),
    ),
    Rule(
        "failed to start: {program} is not executable",
        "{program} is in the image, but is not executable. Add `RUN chmod +x {program}` to the Dockerfile.",
        log=(SHELL_SAYS + "permission denied",),
        codes=(126,),
    ),
    Rule(
        "failed to start: {program} is not in the image",
        "CMD or ENTRYPOINT starts {program}, which was not found. Check its spelling, that the "
        "Dockerfile installs or COPYs it, and that its folder is in PATH.",
        reason=(r"exec: \"(?P<program>[^\"]+)\": (?:stat|executable file not found|is a directory)",),
        log=(rf"exec: \"{PROGRAM}\": (?:stat|executable file not found|is a directory)",),
    ),
    Rule(
        "failed to start: {program} is not in the image",
        "CMD, ENTRYPOINT or a start script starts {program}, which was not found. Check its "
        "spelling, that the Dockerfile installs or COPYs it, and that its folder is in PATH.",
        log=(
            SHELL_SAYS + r"(?:command )?not found",
            rf"^(?:\S{{0,100}}/)?env: (?:can't execute )?['‘]?{PROGRAM}['’]?: no such file",
            TINI_SAYS + "no such file",
        ),
        codes=(127,),
    ),
    Rule(
        "failed to start: its arguments and environment are too large",
        "Linux allows 128 KiB for one variable or argument, and about 2 MiB for all of a program's "
        "together. Check ENV, the labels portcall.env.* and the app's parameters, and move large "
        "values into a file.",
        reason=("argument list too long",),
        log=("argument list too long|E2BIG",),
    ),
    Rule(
        "failed to start: its command cannot be run",
        "The image's CMD, ENTRYPOINT, USER or WORKDIR is wrong; the reason above says what.",
        reason=("cannot(?:start|create)container",),
    ),
)
