#!/bin/sh
# Makes .venv from the lock file, with nothing but a Python 3.11 or newer to begin with. If WITH_DOCKER is set, also
# installs Docker if there is none and that is possible.
set -eu
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3}

say() { printf '%s\n' "$*" >&2; }

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    say "Portcall needs Python 3.11 or newer as $PYTHON. Install it, or name another: PYTHON=python3.12 make ..."
    exit 1
}

# uv as the lock file has it: its version, and the hashes of its wheels.
uv_of_the_lock() {
    "$PYTHON" - "$1" <<'END'
import sys, tomllib
with open("uv.lock", "rb") as lock:
    uv = next(each for each in tomllib.load(lock)["package"] if each["name"] == "uv")
hashes = "".join(f" --hash={wheel['hash']}" for wheel in uv["wheels"])
print(uv["version"] if sys.argv[1] == "version" else f"uv=={uv['version']}{hashes}")
END
}
UV_VERSION=$(uv_of_the_lock version)

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

if [ ! -x .tools/bin/uv ] || [ "$(.tools/bin/uv --version | cut -d' ' -f2)" != "$UV_VERSION" ]; then
    say "Setting up: uv $UV_VERSION"
    rm -rf .tools
    if ! "$PYTHON" -m venv .tools >/dev/null 2>&1; then
        # Debian and Ubuntu ship Python without the means to make a virtual environment.
        rm -rf .tools
        version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        say "Setting up: python$version-venv (apt-get)"
        if ! { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
            "python$version-venv"; } >/dev/null 2>&1 || ! "$PYTHON" -m venv .tools; then
            say "$PYTHON cannot make a virtual environment. Install the package python$version-venv, then try again."
            exit 1
        fi
    fi
    uv_of_the_lock requirement > .tools/uv.txt
    .tools/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
        --requirement .tools/uv.txt
fi

if [ -n "${WITH_DOCKER:-}" ]; then
    # Meanwhile, for it mostly waits for the network and the disk.
    "$PYTHON" -m localcloud.machine.docker_packages >/dev/null 2>&1 &
fi
say "Setting up: the packages of uv.lock"
# Byte-code now: each Lambda in the embedded cloud is a process of its own that would compile it again.
UV_PYTHON_DOWNLOADS=never .tools/bin/uv sync --quiet --locked --compile-bytecode --python "$PYTHON"
wait
touch .venv/.ready
