"""How long `make demo` takes on a fresh Debian, and then again.

`python -m bench.fresh_machine`, as root on Debian: makes a system of its own in a temporary folder, with its
own processes, mounts and network, and nothing but Python, git, make and curl; clones this repository into it,
without any cache; and runs `make demo` twice. This machine's mirrors, certificates and pip configuration are
used. Prints when each line came, and keeps it in bench/results/fresh_machine.json. `--keep` keeps the folder.
"""

import argparse
import contextlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.reporting import results
from localcloud.machine import base_image, debian
from localcloud.settings import PROJECT

PACKAGES = "ca-certificates,curl,git,iproute2,make,procps,python3"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
NAMESPACE, HERE, THERE = "portcall-fresh", "fresh-here", "fresh-there"
NETWORK, GATEWAY, ADDRESS = "10.213.77.0/30", "10.213.77.1", "10.213.77.2"
# A chroot would not do: Docker changes the root of the mounts itself.
ENTER = """
set -e
mount --make-rprivate /
mount --bind "$0" "$0"
cd "$0"
mkdir -p mnt
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mkdir run/lock
pivot_root . mnt
umount -l /mnt
cd /root/portcall
exec env -i "$@"
"""
DEMO = "make demo 2>&1 && echo AGAIN && make demo 2>&1; status=$?; .venv/bin/portcall down; exit $status"


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def network() -> Iterator[None]:
    """A network namespace that reaches out through this machine."""
    forward = [("-I", "FORWARD", way, HERE, "-j", "ACCEPT") for way in ("-i", "-o")]
    nat = ("-t", "nat", "-A", "POSTROUTING", "-s", NETWORK, "!", "-o", HERE, "-j", "MASQUERADE")
    run("ip", "netns", "add", NAMESPACE)
    try:
        run("ip", "link", "add", HERE, "type", "veth", "peer", "name", THERE, "netns", NAMESPACE)
        run("ip", "addr", "add", f"{GATEWAY}/30", "dev", HERE)
        run("ip", "link", "set", HERE, "up")
        inside = ["ip", "-n", NAMESPACE]
        run(*inside, "addr", "add", f"{ADDRESS}/30", "dev", THERE)
        run(*inside, "link", "set", THERE, "up")
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "route", "add", "default", "via", GATEWAY)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        for rule in (*forward, nat):
            run("iptables", *rule)
        yield
    finally:
        for rule in (*forward, nat):
            undo = ["-D" if word in ("-I", "-A") else word for word in rule]
            subprocess.run(["iptables", *undo], stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "link", "delete", HERE], stderr=subprocess.DEVNULL)
        run("ip", "netns", "delete", NAMESPACE)


def make(root: Path) -> None:
    """Make the system, and clone this repository into it."""
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    if debian.which("mmdebstrap") is None:
        debian.install(["mmdebstrap"], log=root.with_suffix(".log"), progress=print)
    options = [f"--aptopt={option}" for option in base_image._apt_options()]
    sources = base_image._sources(suite)
    mmdebstrap = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", *options]
    # Not into the folder itself: if mmdebstrap ends early, its mounts stay there.
    packed = root.with_suffix(".tar")
    run(*mmdebstrap, suite, str(packed), *map(str, sources))
    root.mkdir()
    run("tar", "--extract", "--numeric-owner", "--file", str(packed), "--directory", str(root))
    packed.unlink()
    for source in sources:
        shutil.copy(source, root / source.relative_to("/"))
    settings = "".join(f"{option};\n" for option in base_image._apt_options())
    (root / "etc/apt/apt.conf.d/99mirrors").write_text(settings)
    (root / "etc/pip.conf").write_text(base_image._pip_configuration())
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    bundle = base_image._certificates()
    certificates = re.findall(r"-----BEGIN.*?-----END[^\n]*", bundle.read_text() if bundle else "", re.DOTALL)
    for number, text in enumerate(certificates):
        (root / f"usr/local/share/ca-certificates/{number}.crt").write_text(f"{text}\n")
    subprocess.run(["chroot", str(root), "update-ca-certificates"], check=True, capture_output=True)
    run("git", "clone", "--quiet", "--no-local", str(PROJECT), str(root / "root/portcall"))


def demo(root: Path) -> list[tuple[float, str]]:
    """Run the demo twice; return each line with the seconds since the start. Raises CalledProcessError."""
    bundles = [f"{name}={BUNDLE}" for name in base_image._BUNDLE_VARIABLES if name in os.environ]
    environment = ["HOME=/root", "LANG=C.UTF-8", f"PATH={os.defpath}:/usr/sbin:/sbin", *bundles]
    inside = [
        "nsenter",
        f"--net=/run/netns/{NAMESPACE}",
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--uts",
        "--ipc",
    ]
    command = [*inside, "sh", "-c", ENTER, str(root), *environment, "sh", "-c", DEMO]
    lines, began = [], time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout or ():
            lines.append((round(time.monotonic() - began, 1), line.rstrip()))
            print(f"{lines[-1][0]:7.1f}  {lines[-1][1]}", flush=True)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, "make demo")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    keep = parser.parse_args().keep
    folder = Path(tempfile.mkdtemp(prefix="portcall-fresh-"))
    try:
        make(folder / "root")
        with network():
            lines = demo(folder / "root")
    finally:
        print(f"Its folder: {folder}" if keep else "", end="")
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    (again,) = (at for at, line in lines if line == "AGAIN")
    ends = [at for at, line in lines if line.startswith("GET ")]
    first, second = max(at for at in ends if at < again), max(ends) - again
    phases = [[at, line] for at, line in lines if "Setting up" in line or " … ✓ " in line]
    results.keep("fresh_machine", {"first": first, "second": round(second, 1), "lines": phases})
    print(f"\nFirst: {first:.1f} s. Again: {second:.1f} s.")


if __name__ == "__main__":
    main()
