"""Outages: Docker, a disk or the cloud fails completely during deployments; every report must be true.

`python -m bench.outages`, as root, for it mounts small file systems and starts a Docker daemon of its own: the
daemon is killed, its disk runs full, that of the cloud runs full, the cloud stands still, the cloud is killed
and begins again from what its stores held. Prints what was done, what the mails said and each promise of
tests/promises.py that does not hold, and exits with 1 then. bench/results/outages.json keeps it.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.cloud.campaign import say
from bench.reporting import results
from localcloud.inbox import read
from localcloud.machine import dockerd
from localcloud.settings import PROJECT
from localcloud.stack import install
from tests.chaos import Chaos
from tests.local.conftest import Cloud, eventually, start_cloud
from tests.local.installed import Installed

APPS = [f"chaos-{number}" for number in range(4)]
PARAMETERS = {"RepositoryPattern": "chaos-*", "HealthTimeout": "20"}
BRIDGE, ADDRESS = "portcall-faults", "172.29.0.1/16"
SETTLES_WITHIN = 420.0
# A sweep takes a push whose event has not come after 120 s for lost.
EVENTS_WITHIN = 125.0


@dataclass
class Machine:
    """A Docker daemon and a cloud, each on a small file system of its own."""

    folder: Path
    seed: int
    cloud: Cloud
    chaos: Chaos

    @property
    def docker(self) -> Path:
        return self.folder / "docker"

    @property
    def state(self) -> Path:
        return self.folder / "state"


# The machine


@contextlib.contextmanager
def machine(seed: int) -> Iterator[Machine]:
    """Start everything and install the stack; remove all of it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="portcall-outages-"))
    os.environ["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
    with _small(folder / "docker", 400), _small(folder / "state", 400), _bridge():
        daemon(folder)
        try:
            cloud = _cloud(folder / "state", seed)
            stack = Installed(cloud)
            install(stack.settings, say, PARAMETERS)
            made = Machine(folder, seed, cloud, Chaos(stack, lambda _: None, random.Random(seed)))  # noqa: S311 - repeatable
            made.chaos.settles_within, made.chaos.events_within = SETTLES_WITHIN, EVENTS_WITHIN
            made.chaos.looks_every = 2.0
            for app in APPS:
                cloud.client("ecr").create_repository(repositoryName=app)
            try:
                yield made
            finally:
                made.cloud.process.terminate()
                made.cloud.process.wait()
        finally:
            end_daemon(folder, signal.SIGTERM)


def _cloud(state: Path, seed: int, port: int = 0) -> Cloud:
    return start_cloud(
        state,
        port=port,
        through=("bench.servers.faulty",),
        PYTHONPATH=str(PROJECT),
        FAULTS_SEED=str(seed),
        PERSISTENT="1",
    )


def daemon(folder: Path) -> None:
    """A dockerd that shares nothing with the machine's own."""
    options = [f"--data-root={folder}/docker/data", f"--exec-root={folder}/exec", f"--bridge={BRIDGE}"]
    options += ["--iptables=false", "--ip6tables=false", "--ip-masq=false"]
    dockerd.start(folder, say, host=os.environ["DOCKER_HOST"], options=options)


def end_daemon(folder: Path, how: signal.Signals) -> None:
    process = psutil.Process(int((folder / "dockerd.pid").read_text()))
    process.send_signal(how)
    psutil.wait_procs([process], timeout=60)


@contextlib.contextmanager
def _small(folder: Path, megabytes: int) -> Iterator[None]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@contextlib.contextmanager
def _bridge() -> Iterator[None]:
    for command in ("link add {} type bridge", "addr add {} dev {}", "link set {} up"):
        names = (ADDRESS, BRIDGE) if "addr" in command else (BRIDGE,)
        subprocess.run(["ip", *command.format(*names).split()], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "del", BRIDGE], check=False)


@contextlib.contextmanager
def full(folder: Path) -> Iterator[None]:
    """Fill a file system up for the duration of the block."""
    filler = folder / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], capture_output=True, check=False)
    try:
        yield
    finally:
        filler.unlink()


# What happens to it


def pushes(made: Machine, *, good: bool = True) -> None:
    """One of each app, one right after the other."""
    for app in APPS:
        made.chaos.push(app, made.chaos.upload(app, good), good)


def daemon_killed(made: Machine) -> None:
    """The Docker daemon is killed during four deployments, and comes back ten seconds later."""
    pushes(made)
    # A deployment takes some three seconds.
    time.sleep(made.chaos.dice.uniform(0, 2))
    end_daemon(made.folder, signal.SIGKILL)
    time.sleep(10)
    daemon(made.folder)


def docker_disk_full(made: Machine) -> None:
    """No byte is left for images while four versions are pushed."""
    with full(made.docker):
        pushes(made)
        eventually(lambda: not made.chaos.running(), within=SETTLES_WITHIN, every=1)


def cloud_disk_full(made: Machine) -> None:
    """No byte is left for mails and the log of the cloud for half a minute, while four versions are pushed."""
    with full(made.state):
        pushes(made)
        time.sleep(30)


def cloud_stands_still(made: Machine) -> None:
    """The cloud is suspended for half a minute during four deployments: every call hangs."""
    pushes(made)
    # A deployment takes some three seconds.
    time.sleep(made.chaos.dice.uniform(0, 2))
    made.cloud.process.send_signal(signal.SIGSTOP)
    time.sleep(30)
    made.cloud.process.send_signal(signal.SIGCONT)


def cloud_killed(made: Machine) -> None:
    """The cloud and all functions are killed during four deployments; its stores remain.

    All executions that ran have failed then, and all tasks have stopped, without an event. AWS is not as bad.
    """
    pushes(made)
    # A deployment takes some three seconds.
    time.sleep(made.chaos.dice.uniform(0, 2))
    with contextlib.suppress(http.client.RemoteDisconnected):
        made.cloud.request("PUT", "/_faults/kill")
    made.cloud.process.wait(timeout=60)
    made.cloud = _cloud(made.state, made.seed, made.cloud.port)
    made.chaos.stack.cloud = made.cloud


OUTAGES: dict[str, Callable[[Machine], None]] = {
    each.__name__.replace("_", " "): each
    for each in (cloud_killed, daemon_killed, docker_disk_full, cloud_disk_full, cloud_stands_still)
}


# The result


def play(made: Machine, outage: Callable[[Machine], None]) -> dict[str, Any]:
    """Make all four apps live, cause the outage, and return the state after everything has settled."""
    chaos = made.chaos
    pushes(made)
    eventually(lambda: not chaos.running(), within=SETTLES_WITHIN, every=0.5)
    # The first one of an install, within five minutes, cannot know which pushes were lost before it.
    chaos.sweep()
    live = {app: chaos.ledger(app)["current"]["digest"] for app in APPS}
    known = {name for app in APPS for name in chaos.ledger(app)}
    mails = len(list(read(chaos.stack.settings.inbox)))
    # What an earlier outage left behind is in its own result.
    before = {each for app in APPS for each in chaos.broken(app)}
    began = time.monotonic()
    outage(made)
    # An outage may fail a good push, but a version that was live before must stay live.
    settled = chaos.settle()
    new = [item for app in APPS for name, item in chaos.ledger(app).items() if name not in known]
    new = [item for item in new if item.get("sk", "").startswith("deployment#")]
    failed = {item["digest"] for item in new if item.get("outcome") == "failed"}
    chaos.killed |= failed
    said = list(read(chaos.stack.settings.inbox))[mails:]
    broken = [each for app in APPS for each in chaos.broken(app) if each not in before]
    lost = [app for app in APPS if app not in {*_running(made)} and live[app]]
    return {
        "what": " ".join((outage.__doc__ or "").split()),
        "outcomes": dict(sorted(Counter(item.get("outcome", "none") for item in new).items())),
        "reasons": sorted({item["reason"] for item in new if item.get("outcome") == "failed"}),
        "mails": [mail.subject for mail in said],
        "sweeps with something to do": len(settled.sweeps),
        "seconds from the outage until all was well": round(time.monotonic() - began),
        "broken": [*broken, *(f"{app} is down" for app in lost)],
    }


def _running(made: Machine) -> Iterator[str]:
    for app in APPS:
        if made.chaos.live(app):
            yield app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=OUTAGES, action="append", help="one outage, or several")
    asked = parser.parse_args()
    found = {}
    with machine(asked.seed) as made:
        for name in asked.only or OUTAGES:
            say(name)
            found[name] = play(made, OUTAGES[name])
            say(json.dumps(found[name], indent=1))
            if not asked.only:
                results.keep("outages", {"seed": asked.seed, "outages": found})
    sys.exit(1 if any(each["broken"] for each in found.values()) else 0)


if __name__ == "__main__":
    main()
